"""The video encoder of one view: vision tower and connector. The paper calls it the exo (teacher) or ego (student)
encoder."""

from torch import Tensor, nn

from exo2ego.models.configuration import Exo2EgoConfig
from exo2ego.models.connector import STCConnector
from exo2ego.models.vision import Grid, VisionTower, build_vision_tower


class VideoEncoder(nn.Module):
    """Normalised frames in, visual tokens of LLM width out."""

    def __init__(self, tower: VisionTower, connector: STCConnector) -> None:
        super().__init__()
        self.tower, self.connector = tower, connector

    def grid(self, num_frames: int) -> Grid:
        """Grid of the tokens for videos of `num_frames` frames."""
        return self.connector.out_grid(patch_grid(self.tower, num_frames))

    def forward(self, video: Tensor) -> Tensor:
        """float[B, T, 3, H, W], normalised -> float[B, N, D]."""
        tokens: Tensor = self.connector(self.tower(video), patch_grid(self.tower, video.shape[1]))
        return tokens


def patch_grid(tower: VisionTower, num_frames: int) -> Grid:
    """Grid of the patches a tower gives for `num_frames` frames."""
    h, w = tower.grid()
    return Grid(t=num_frames, h=h, w=w)


def build_encoder(config: Exo2EgoConfig) -> VideoEncoder:
    """A fresh encoder with the shapes of `config`."""
    tower = build_vision_tower(config.vision_config, select_layer=config.vision_feature_layer)
    connector = STCConnector(
        in_width=tower.width,
        out_width=config.text_config.hidden_size,
        depth=config.connector_depth,
        padding=config.connector_padding,
    )
    return VideoEncoder(tower, connector)

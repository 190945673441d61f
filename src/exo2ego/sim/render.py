"""The only importer of MuJoCo: one pool of primitive shapes, posed directly and drawn off-screen by EGL.

Nothing is simulated: the world is kinematic, so shapes' world poses are written straight into `mjData`; the model and
the renderer serve many takes (building them for each clip is ten times slower).
"""

import os

os.environ.setdefault("MUJOCO_GL", "egl")
# One rasteriser thread a process: parallelism comes from rendering several takes at once.
os.environ.setdefault("LP_NUM_THREADS", "1")

from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from exo2ego.errors import EnvironmentUnfitError

_HINT = "off-screen OpenGL does not work here ({error}); install it: apt-get install libegl1 libgl1-mesa-dri"

try:
    import mujoco
except (ImportError, AttributeError, OSError, RuntimeError) as error:
    raise EnvironmentUnfitError(
        _HINT.format(error=str(error).splitlines()[0] if str(error) else repr(error))
    ) from error

Floats = NDArray[np.float64]

_XML = """
<mujoco>
  <visual>
    <global offwidth="{size}" offheight="{size}"/>
    <quality offsamples="0" shadowsize="0" numslices="14" numstacks="8" numquads="1"/>
    <map znear="0.01" zfar="20"/>
    <headlight ambient="0.35 0.35 0.35" diffuse="0.30 0.30 0.30" specular="0 0 0"/>
  </visual>
  <statistic extent="1" center="0 0 0"/>
  <worldbody>
    <light name="sun" directional="true" castshadow="false" dir="0 0 -1" diffuse="0.5 0.5 0.5" specular="0 0 0"/>
    <camera name="eye" pos="0 0 1"/>
    {geoms}
  </worldbody>
</mujoco>
"""


class Stage:
    """A pool of `shapes` primitives seen by one movable camera; use as a context manager.

    Raises:
        EnvironmentUnfitError: no off-screen OpenGL on this machine.
    """

    def __init__(self, size_px: int, shapes: int) -> None:
        """Build the model and the renderer."""
        geoms = "\n".join('<geom type="sphere" size="0.01" contype="0" conaffinity="0"/>' for _ in range(shapes))
        self._model = mujoco.MjModel.from_xml_string(_XML.format(size=size_px, geoms=geoms))
        self._data = mujoco.MjData(self._model)
        mujoco.mj_forward(self._model, self._data)
        try:
            self._renderer = mujoco.Renderer(self._model, size_px, size_px)
        except (ImportError, RuntimeError, AttributeError, mujoco.FatalError) as error:
            raise EnvironmentUnfitError(_HINT.format(error=str(error).splitlines()[0])) from error

    def __enter__(self) -> "Stage":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the OpenGL context."""
        self._renderer.close()

    def dress(self, types: NDArray[np.int32], rgba: NDArray[np.float32], light: Floats, brightness: float) -> None:
        """Set what stays in a take: shapes int32[K], colours float32[K, 4], light direction float64[3], brightness."""
        self._model.geom_type[: len(types)] = types
        self._model.geom_rgba[:] = 0
        self._model.geom_rgba[: len(rgba)] = rgba
        self._model.light_diffuse[0] = 0.5 * brightness
        self._data.light_xdir[0] = light / np.linalg.norm(light)

    def pose(self, size: Floats, at: Floats, rotation: Floats) -> None:
        """Set what moves: half sizes float64[K, 3], centres float64[K, 3], rotations float64[K, 3, 3]."""
        count = len(size)
        self._model.geom_size[:count] = size
        self._data.geom_xpos[:count] = at
        self._data.geom_xmat[:count] = rotation.reshape(count, 9)

    def shoot(self, eye: Floats, rotation: Floats, fov_deg: float) -> NDArray[np.uint8]:
        """Take one picture, uint8[size, size, 3]: camera at `eye`, columns of `rotation` are right, up, backwards."""
        self._data.cam_xpos[0] = eye
        self._data.cam_xmat[0] = rotation.reshape(9)
        self._model.cam_fovy[0] = fov_deg
        self._renderer.update_scene(self._data, camera=0)
        picture: NDArray[np.uint8] = self._renderer.render()
        return picture

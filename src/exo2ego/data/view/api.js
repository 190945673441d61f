// What the server is asked. Every failure is an Error whose message is the server's one line.

async function refused(response) {
  let told = {};
  try {
    told = await response.json();
  } catch {
    // not from one of our routes: the status has to do
  }
  const error = new Error(told.error ?? `the server answered ${response.status}`);
  error.kind = told.kind ?? "";
  return error;
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error("no answer: has 'exo2ego data view' ended?");
  }
  if (!response.ok) throw await refused(response);
  return response;
}

const part = encodeURIComponent;
export const clipAddress = (sample, view) => `/clip/${part(sample.folder)}/${part(sample.key)}/${part(view)}.mp4`;
export const filmAddress = (sample, view) => `/film/${part(sample.folder)}/${part(sample.key)}/${part(view)}.jpg`;
export const thumbAddress = (sample) => `/thumb/${part(sample.folder)}/${part(sample.key)}.jpg`;

export const getFolders = async () => (await ask("/api/folders")).json();
export const getSample = async (folder, key) => (await ask(`/api/sample/${part(folder)}/${part(key)}`)).json();
export const getStatistics = async (folder) => (await ask(`/api/statistics/${part(folder)}`)).json();

export async function search(query, offset, limit, signal) {
  const words = new URLSearchParams({ offset, limit });
  for (const [name, value] of Object.entries(query)) if (value !== "") words.set(name, value);
  return (await ask(`/api/search?${words}`, { signal })).json();
}

export async function setFlag(sample, flagged, reason) {
  const body = JSON.stringify({ folder: sample.folder, key: sample.key, flagged, reason });
  await ask("/api/flags", { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

// All frames of a clip: one picture, and where in it each frame lies.
export async function getFilm(address) {
  const response = await ask(address);
  const number = (name) => Number(response.headers.get(`X-Film-${name}`));
  const shape = { frames: number("Frames"), columns: number("Columns"), width: number("Width"), height: number("Height") };
  return { ...shape, bitmap: await createImageBitmap(await response.blob()) };
}

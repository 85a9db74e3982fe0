// Questions to the gateway. The key stays in this page's memory and is gone with it.

let key = "";

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Nobody answered.
export class Away extends Error {}

export const hasKey = () => key !== "";

export function useKey(secret) {
  key = secret.trim();
}

async function reach(method, path, body) {
  const headers = key ? { authorization: `Bearer ${key}` } : {};
  if (body !== undefined) headers["content-type"] = "application/json";
  const sent = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  const answer = await fetch(path, sent).catch((error) => Promise.reject(new Away(error.message)));
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, told.error?.message ?? `The gateway answered ${answer.status}.`);
}

export const send = async (method, path, body) => (await reach(method, path, body)).json();

// Saves a file as the browser saves any; a link could not show the key.
export async function save(path, name) {
  const url = URL.createObjectURL(await (await reach("GET", path)).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

export function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  return send("GET", query ? `${path}?${query}` : path);
}

// null in place of an answer that is not for this key, or not known to this gateway.
export async function askIfAllowed(path, parameters) {
  try {
    return await ask(path, parameters);
  } catch (error) {
    if (error instanceof Refused && [403, 404].includes(error.status)) return null;
    throw error;
  }
}

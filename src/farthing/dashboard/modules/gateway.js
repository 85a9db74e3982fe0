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

export async function send(method, path, body) {
  const headers = key ? { authorization: `Bearer ${key}` } : {};
  if (body !== undefined) headers["content-type"] = "application/json";
  const sent = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  const answer = await fetch(path, sent).catch((error) => Promise.reject(new Away(error.message)));
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, told.error?.message ?? `The gateway answered ${answer.status}.`);
  return told;
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

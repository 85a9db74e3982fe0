// The live figures: a socket that comes back by itself, or with a key, which a socket cannot show, a question at intervals.

import { ask, hasKey } from "./gateway.js";

const POLL_MS = 2000;
const SOON_MS = 250;
const LATEST_MS = 5000;

let last = null;
let wait = SOON_MS;

// `heard` gets every message, `stood` tells "live" or "reconnecting".
export function listen(heard, stood) {
  if (hasKey()) poll(heard, stood);
  else connect(heard, stood);
}

function connect(heard, stood) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const since = last === null ? "" : `?sequence=${last}`;
  const socket = new WebSocket(`${scheme}://${location.host}/metrics/live${since}`);
  socket.addEventListener("message", (message) => {
    const told = JSON.parse(message.data);
    if (told.sequence) last = told.sequence;
    wait = SOON_MS;
    stood("live");
    heard(told);
  });
  socket.addEventListener("close", () => {
    stood("reconnecting");
    setTimeout(() => listen(heard, stood), wait * (0.5 + Math.random()));
    wait = Math.min(2 * wait, LATEST_MS);
  });
}

async function poll(heard, stood) {
  try {
    heard(await ask("/routing/metrics"));
    stood("live");
  } catch {
    stood("reconnecting");
  }
  setTimeout(() => listen(heard, stood), POLL_MS);
}

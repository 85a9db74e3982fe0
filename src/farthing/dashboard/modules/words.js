// Figures in words: money in US dollars, durations in milliseconds, moments in UTC.

const LOCALE = "en-US";
const whole = new Intl.NumberFormat(LOCALE);
const digits = (options) => new Intl.NumberFormat(LOCALE, { style: "currency", currency: "USD", ...options });
const large = digits({ maximumFractionDigits: 0 });
const usual = digits({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
const small = digits({ minimumFractionDigits: 4, maximumFractionDigits: 4 });
const tiny = digits({ maximumSignificantDigits: 2, maximumFractionDigits: 9 });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: "UTC" });
const calendar = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const monthly = new Intl.DateTimeFormat("en-GB", { month: "long", timeZone: "UTC" });

export const count = (number) => whole.format(number);

export function dollars(usd) {
  if (usd === null || usd === undefined) return "unpriced";
  const size = Math.abs(usd);
  if (size >= 1000) return large.format(usd);
  if (size >= 1) return usual.format(usd);
  if (size === 0) return "$0";
  return (size >= 0.001 ? small : tiny).format(usd);
}

export const signed = (usd) => (usd > 0 ? "+" : usd < 0 ? "−" : "") + dollars(Math.abs(usd));

export const percent = (share, places = 0) => `${(100 * share).toFixed(places)}%`;

export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${whole.format(Math.round(ms))} ms` : `${ms.toFixed(ms >= 1 ? 1 : 2)} ms`;
}

export const timeOfDay = (moment) => clock.format(new Date(moment));
export const day = (moment) => calendar.format(new Date(moment));
export const dayAndTime = (moment) => `${day(moment)} ${timeOfDay(moment)}`;
export const monthName = (moment) => monthly.format(new Date(moment));

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

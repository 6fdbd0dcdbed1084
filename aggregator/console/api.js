/* api.js - one question, one answer, over HTTP. A token is kept for as long as the tab lives, and goes nowhere but into the header. */
const TOKEN = "till-token";
let asking = null; /* one dialog at a time */
let askForToken = async () => null;
let isDeclined = false; /* who has no token is not asked each second */

export const whenTokenIsWanted = (ask) => {
  askForToken = ask;
};

export function headers(more = {}) {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;

/* Asks the person once, however many requests were refused; whether there is a token to try now. `isWanted`: a button was pressed for it. */
export async function refused(isWanted = false) {
  if (isDeclined && !isWanted) {
    return false;
  }
  asking ??= askForToken(sessionStorage.getItem(TOKEN) !== null).finally(() => {
    asking = null;
  });
  const token = await asking;
  isDeclined = !token;
  if (token) {
    sessionStorage.setItem(TOKEN, token);
  }
  return Boolean(token);
}

export const mayAskAgain = () => {
  isDeclined = false;
};

export class Unreachable extends Error {}

/* Any request to our own server; a 401 asks for the token and tries again. */
export async function request(path, options = {}) {
  for (;;) {
    let response;
    try {
      response = await fetch(path, { cache: "no-store", ...options, headers: headers(options.headers) });
    } catch (error) {
      if (error.name === "AbortError") {
        throw error;
      }
      throw new Unreachable("the aggregator can't be reached");
    }
    if (response.status !== 401 || !(await refused())) {
      return response;
    }
  }
}

/* The answer of the socket, whatever it says: {"ok": …}. */
export async function ask(query, options = {}) {
  const response = await request("query", {
    method: "POST", body: JSON.stringify(query), headers: { "Content-Type": "application/json" }, ...options,
  });
  try {
    return await response.json();
  } catch {
    throw new Unreachable(`the aggregator answered ${response.status} ${response.statusText}`);
  }
}

/* theme.js - light, dark, or as the system has it. Before anything is drawn, so no module. */
"use strict";
(() => {
  const names = ["auto", "light", "dark"];
  const root = document.documentElement;
  let name = "auto";
  try {
    name = names.includes(localStorage.getItem("till-theme")) ? localStorage.getItem("till-theme") : "auto";
  } catch {
    /* a browser that keeps nothing: as the system has it */
  }
  root.dataset.theme = name;
  window.tillTheme = {
    names,
    get: () => root.dataset.theme,
    set(next) {
      root.dataset.theme = next;
      try {
        localStorage.setItem("till-theme", next);
      } catch {
        /* it holds until the page is left */
      }
      window.dispatchEvent(new Event("till-theme"));
    },
  };
})();

/* pages.js - the pages, in the order of the navigation. A page is one module, fetched when it is opened:
 *
 *   export const title = "Stores";
 *   export function render(page) { … }        called each time the page is opened, or its parameters change
 *
 * `page` (main.js) has
 *   main              where the page puts its elements: page.main.append(panel(page, {…}).element)
 *   params            what stands behind the page's name in the address, a Map: #/stores?edge=berlin
 *   go(params)        opens the page with other parameters; link(id, params) is the address of any page
 *   watch(query, f)   f(answer) at once and whenever the answer changed, for as long as the page is open
 *   poll(query, ms, f)  the same for what costs more: asked again every `ms`, and not while the tab is hidden
 *   ask(query)        one answer
 *   onAlive(f)        f({as_of, state}) about each second; onClose(f) when the page is left
 *
 * Most of it is done by panels (panel.js): a panel has a query and says how its answer is drawn; what there is to say while there is
 * no answer, no row, no view or no connection, the table beside the chart and the query itself are the panel's own affair. */
export const PAGES = [
  { id: "sales", title: "Sales", load: () => import("./page_sales.js") },
  { id: "stores", title: "Stores", load: () => import("./page_stores.js") },
  { id: "pipeline", title: "Pipeline", load: () => import("./page_pipeline.js") },
  { id: "topics", title: "Topics", load: () => import("./page_topics.js") },
  { id: "explore", title: "Explore", load: () => import("./page_explore.js") },
];

/// The console's one module: it keeps the page that the server drew up to date. Without it all works, only not by
/// itself.
///
/// A browser opens at most six connections to one origin, and every stream takes one: so one tab holds the stream
/// (whoever has the lock) and tells the others, and a seventh tab still loads.
enum ConsoleScript {
    static let text = #"""
        "use strict";
        const allowed = new Set(["class", "d", "points", "width"]);
        const badge = document.getElementById("live");
        const stream = document.body.dataset.live;
        const others = "BroadcastChannel" in window ? new BroadcastChannel("weir " + stream) : null;
        const known = {cells: {}};
        let leads = false;
        let last = Date.now();

        function apply(patch) {
          last = Date.now();
          const here = document.body.dataset.structure;
          if (here && patch.structure !== here) { renew(); return; }
          for (const [id, cell] of Object.entries(patch.cells)) {
            const element = document.getElementById(id);
            if (!element) continue;
            if (cell.t !== undefined && element.textContent !== cell.t) element.textContent = cell.t;
            for (const [name, value] of Object.entries(cell.a ?? {})) {
              if (allowed.has(name)) element.setAttribute(name, value);
              else if (name === "data-lines" && element.dataset.lines !== value) { renew(); return; }
            }
          }
          if (patch.order) sort(patch.order);
        }

        // Not under the hands of one who fills in a form, and not again and again.
        function renew() {
          const isBusy = document.activeElement?.matches("input, select");
          if (!isBusy && performance.now() > 2000) location.reload();
        }

        // A row that holds the focus would lose it by being moved: the order waits until the focus is elsewhere.
        function sort(order) {
          const body = document.getElementById("rows");
          if (!body || body.contains(document.activeElement)) return;
          const rows = order.map((id) => document.getElementById(id)).filter((row) => row !== null);
          if (rows.every((row, place) => body.children[place] === row)) return;
          for (const row of rows) body.append(row);
        }

        function remember(patch) {
          known.structure = patch.structure;
          known.order = patch.order ?? known.order;
          Object.assign(known.cells, patch.cells);
        }

        function lead() {
          leads = true;
          const source = new EventSource(stream);
          source.addEventListener("patch", (event) => {
            const patch = JSON.parse(event.data);
            remember(patch);
            apply(patch);
            others?.postMessage({patch});
          });
          // Until the lock is given back by closing the tab.
          return new Promise(() => {});
        }

        if (others) {
          others.onmessage = (event) => {
            if (event.data.patch) apply(event.data.patch);
            if (event.data.hello && leads && known.order) others.postMessage({patch: known});
          };
          others.postMessage({hello: true});
        }
        if (others && navigator.locks) navigator.locks.request("weir-live " + stream, lead); else lead();

        function tell() {
          const age = Math.round((Date.now() - last) / 1000);
          const isStale = age >= 5;
          badge.textContent = isStale ? `last update ${age} s ago` : "live";
          badge.setAttribute("class", isStale ? "live stale" : "live");
        }
        badge.textContent = "live";
        setInterval(tell, 1000);
        """#
}

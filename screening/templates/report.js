// Sorting, filters, and the stage where one structure is shown. All text goes in as text.
(function () {
  "use strict";
  var root = document.documentElement;
  function $(id) { return document.getElementById(id); }
  function all(selector, within) { return Array.prototype.slice.call((within || document).querySelectorAll(selector)); }
  root.classList.add("js");

  // The table.
  var table = $("ranking"), body = table.tBodies[0], rows = all("tr", body), heads = all("th", table.tHead);
  var byRank = {};
  rows.forEach(function (row) { byRank[row.getAttribute("data-rank")] = row; });

  function value(row, column, isNumber) {
    var cell = row.cells[column];
    if (!isNumber) { return cell.textContent; }
    return parseFloat(cell.hasAttribute("data-v") ? cell.getAttribute("data-v") : cell.textContent.replace("−", "-"));
  }

  function sort(column) {
    var head = heads[column], isNumber = head.getAttribute("data-sort") === "n";
    var down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach(function (h) { h.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort(function (a, b) {
      var x = value(a, column, isNumber), y = value(b, column, isNumber), order;
      if (isNumber) {
        if (isNaN(x) || isNaN(y)) { return (isNaN(x) ? 1 : 0) - (isNaN(y) ? 1 : 0); }
        order = x - y;
      } else { order = x.localeCompare(y, "en", { numeric: true }); }
      return down ? -order : order;
    });
    rows.forEach(function (row) { body.appendChild(row); });
  }
  heads.forEach(function (head, column) {
    head.tabIndex = 0;
    head.addEventListener("click", function () { sort(column); });
    head.addEventListener("keydown", function (e) { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); sort(column); } });
  });

  // Filters; the plot follows.
  var points = all("#scatter [data-rank]"), inputs = ["filter", "class", "flag", "known"].map($);
  var texts = rows.map(function (row) { return row.textContent.toLowerCase().replace(/\s+/g, " "); });
  var order = rows.slice();
  function filter() {
    var words = inputs[0].value.toLowerCase().split(/\s+/), kind = inputs[1].value, flag = inputs[2].value, known = inputs[3].value;
    var shown = 0, passes = {};
    order.forEach(function (row, k) {
      var flags = all(".flag", row), isKnown = row.cells[8].textContent !== "";
      var ok = words.every(function (w) { return texts[k].indexOf(w) >= 0; }) && (!kind || row.getAttribute("data-class") === kind)
        && (!flag || (flag === "-" ? !flags.length : flags.some(function (f) { return f.classList.contains(flag); })))
        && (!known || isKnown === (known === "y"));
      row.hidden = !ok;
      shown += ok ? 1 : 0;
      passes[row.getAttribute("data-rank")] = ok;
    });
    $("count").textContent = shown === order.length ? order.length.toLocaleString("en") + " rows" : shown.toLocaleString("en") + " of " + order.length.toLocaleString("en") + " rows";
    points.forEach(function (p) { p.classList.toggle("off", passes[p.getAttribute("data-rank")] === false); });
  }
  $("controls").hidden = false;
  inputs.forEach(function (input) { input.addEventListener("input", filter); });
  $("clear").addEventListener("click", function () { inputs.forEach(function (i) { i.value = ""; }); filter(); });
  filter();

  // A mark of the plot leads to its row.
  points.forEach(function (p) {
    p.addEventListener("click", function () {
      var row = byRank[p.getAttribute("data-rank")];
      if (!row) { return; }
      all(".hit").forEach(function (e) { e.classList.remove("hit"); });
      row.classList.add("hit"); p.classList.add("hit"); row.hidden = false;
      row.scrollIntoView({ block: "center" });
    });
  });

  // The stage.
  var cards = all("#cards .card"), scenes = JSON.parse($("scenes").textContent);
  if (!cards.length) { return; }
  $("stage").hidden = false;
  var viewer = window.ionsieveViewer ? window.ionsieveViewer($("view")) : null;
  $("tools").hidden = !viewer;
  $("still").hidden = Boolean(viewer);
  root.setAttribute("data-viewer", viewer ? "webgl" : "still");
  if (viewer) { steer($("view")); }
  if (!viewer) {
    $("hint").textContent = "This browser offers no WebGL, so the picture cannot be turned. Everything else works.";
    $("view").style.cursor = "default";
  }
  var chosen = 0;

  // Arrow keys turn; the wheel zooms only after a click, so that scrolling past is not caught.
  function steer(view) {
    var active = false, turns = { ArrowLeft: [-8, "y"], ArrowRight: [8, "y"], ArrowUp: [-8, "x"], ArrowDown: [8, "x"] };
    view.addEventListener("pointerdown", function () { active = true; });
    view.addEventListener("pointerleave", function () { active = false; });
    view.addEventListener("wheel", function (e) { if (!active) { e.stopPropagation(); } }, true);
    view.addEventListener("keydown", function (e) {
      if (turns[e.key]) { e.preventDefault(); viewer.turn(turns[e.key][0], turns[e.key][1]); }
    });
  }

  function parts() {
    var shown = {};
    all("#tools input").forEach(function (box) { shown[box.getAttribute("data-part")] = box.checked; });
    return shown;
  }
  function fact(name, text) {
    var dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name; dd.textContent = text;
    $("facts").appendChild(dt); $("facts").appendChild(dd);
  }
  function copyInto(target, source) {
    target.textContent = "";
    Array.prototype.forEach.call(source.childNodes, function (n) { target.appendChild(n.cloneNode(true)); });
  }
  function choose(k) {
    chosen = k;
    var one = cards[k], cells = byRank[one.getAttribute("data-rank")].cells;
    function cell(i) { return cells[i].textContent.trim(); }
    cards.forEach(function (c, i) { c.setAttribute("aria-current", String(i === k)); });
    copyInto($("chosen"), one.querySelector("b"));
    $("chosen-id").textContent = cell(10);
    $("facts").textContent = "";
    fact("p_fast", cell(2));
    fact("log₁₀ σ(300 K)", cell(3) + " (σ in S/cm)");
    fact("90 % interval", cell(4));
    fact("domain distance", cell(5));
    fact("isolated anions", cell(6) + ", fraction " + cell(7));
    if (cell(8)) { fact("known", cell(8)); }
    fact("flags", all(".flag", cells[9]).map(function (f) { return f.textContent; }).join(", ") || "none");
    fact("drawn", one.querySelector(".what").textContent);
    copyInto($("chosen-key"), one.querySelector(".key"));
    if (viewer) { viewer.resize(); viewer.show(scenes[k], parts()); } else { copyInto($("still"), { childNodes: [one.querySelector("svg")] }); }
  }
  cards.forEach(function (one, k) {
    one.tabIndex = 0; one.setAttribute("role", "button");
    one.addEventListener("click", function () { choose(k); });
    one.addEventListener("keydown", function (e) { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); choose(k); } });
  });
  all("#ranking tbody a").forEach(function (link) {
    var rank = link.closest("tr").getAttribute("data-rank");
    link.addEventListener("click", function () {
      cards.forEach(function (c, k) { if (c.getAttribute("data-rank") === rank) { choose(k); } });
    });
  });
  all("#tools input").forEach(function (box) { box.addEventListener("change", function () { viewer.show(scenes[chosen], parts()); }); });
  $("home").addEventListener("click", function () { viewer.home(); });
  window.addEventListener("resize", function () { if (viewer) { viewer.resize(); } });
  choose(0);
})();

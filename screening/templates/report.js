// Plot, structure and table of one screen, linked: what is chosen in one is shown in all three.
// All text goes in as text.
(function () {
  "use strict";
  var root = document.documentElement;
  function $(id) { return document.getElementById(id); }
  function all(selector, within) { return Array.prototype.slice.call((within || document).querySelectorAll(selector)); }
  function make(name, text, css) { var e = document.createElement(name); if (text !== undefined) { e.textContent = text; } if (css) { e.className = css; } return e; }
  root.classList.add("js");

  var data = JSON.parse($("data").textContent);
  var table = $("ranking"), body = table.tBodies[0], rows = all("tr", body), heads = all("th", table.tHead);
  var inRank = rows.slice(), byRank = {}, names = heads.map(function (h) { return h.firstChild.textContent.trim(); });
  rows.forEach(function (row) { byRank[row.getAttribute("data-rank")] = row; });
  function rankOf(row) { return row.getAttribute("data-rank"); }
  function detail(row) { return data.rows[rankOf(row)]; }
  // Columns by their heading: one more or less changes nothing here.
  function column(name) { return heads.findIndex(function (h) { return h.textContent.replace(/\s+/g, " ").indexOf(name) === 0; }); }
  var C = { formula: column("formula"), id: column("id"), p: column("p_fast"), sigma: column("log10"), interval: column("90 %"), flags: column("flags"), place: column("next"), hours: column("core"), experiment: column("measured"), distance: column("domain"), kind: column("class"), known: column("known") };

  // Sorting: the first click sorts the useful way; empty cells stay at the end.
  function value(row, k, isNumber) {
    var cell = row.cells[k];
    if (!isNumber) { return cell.textContent.trim(); }
    return parseFloat(cell.hasAttribute("data-v") ? cell.getAttribute("data-v") : cell.textContent.replace("−", "-"));
  }
  function sort(k, down) {
    var head = heads[k], isNumber = head.getAttribute("data-sort") === "n";
    heads.forEach(function (h) { h.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows = inRank.slice();
    rows.sort(function (a, b) {
      var x = value(a, k, isNumber), y = value(b, k, isNumber);
      var lost = isNumber ? [isNaN(x), isNaN(y)] : [x === "", y === ""];
      if (lost[0] || lost[1]) { return lost[0] - lost[1]; }
      var order = isNumber ? x - y : x.localeCompare(y, "en", { numeric: true });
      return down ? -order : order;
    });
    var fragment = document.createDocumentFragment();
    rows.forEach(function (row) { fragment.appendChild(row); });
    body.appendChild(fragment);
    $("sorter").value = String(k);
  }
  function press(k) {
    var now = heads[k].getAttribute("aria-sort"), first = heads[k].getAttribute("data-first") === "down";
    sort(k, now ? now === "ascending" : first);
  }
  heads.forEach(function (head, k) {
    head.tabIndex = 0;
    head.addEventListener("click", function () { press(k); });
    head.addEventListener("keydown", function (e) { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); press(k); } });
    var option = make("option", names[k] || "rank"); option.value = String(k); $("sorter").appendChild(option);
  });
  $("sorter").addEventListener("input", function () { var k = Number($("sorter").value); sort(k, heads[k].getAttribute("data-first") === "down"); });

  // Filters; the plot follows.
  var points = all("#scatter [data-rank]"), pointOf = {}, inputs = ["filter", "class", "flag", "known-only"].map($);
  points.forEach(function (p) { pointOf[p.getAttribute("data-rank")] = p; });
  var texts = {};
  inRank.forEach(function (row) { texts[rankOf(row)] = (row.textContent + " " + detail(row).why).toLowerCase().replace(/\s+/g, " "); });
  function hasFlag(row, flag) {
    var own = all(".flag", row.cells[C.flags]);
    if (!flag) { return true; }
    if (flag === "-" || flag === "+") { return (own.length > 0) === (flag === "+"); }
    return own.some(function (f) { return f.classList.contains(flag); });
  }
  function hasWord(row, word) {
    if (word.indexOf("element:") !== 0) { return texts[rankOf(row)].indexOf(word) >= 0; }
    return (" " + row.getAttribute("data-el").toLowerCase() + " ").indexOf(" " + word.slice(8) + " ") >= 0;
  }
  function isKnown(row, which) {
    if (which === "s") { return row.cells[C.place].textContent !== ""; }
    return !which || (row.cells[C.known].textContent !== "") === (which === "y");
  }
  function filter() {
    var words = inputs[0].value.toLowerCase().split(/\s+/).filter(Boolean), kind = inputs[1].value, flag = inputs[2].value, known = inputs[3].value;
    var shown = 0, n = inRank.length;
    inRank.forEach(function (row) {
      var ok = words.every(function (w) { return hasWord(row, w); }) && (!kind || row.getAttribute("data-class") === kind) && hasFlag(row, flag) && isKnown(row, known);
      row.hidden = !ok;
      shown += ok ? 1 : 0;
      if (pointOf[rankOf(row)]) { pointOf[rankOf(row)].classList.toggle("off", !ok); }
    });
    $("count").textContent = (shown === n ? "" : shown.toLocaleString("en") + " of ") + n.toLocaleString("en") + " rows";
  }
  $("controls").hidden = false;
  inputs.forEach(function (input) { input.addEventListener("input", filter); });
  $("clear").addEventListener("click", function () { inputs.forEach(function (i) { i.value = ""; }); filter(); });
  filter();
  all("#periodic [data-element]").forEach(function (cell) {
    function pick() { inputs[0].value = "element:" + cell.getAttribute("data-element"); filter(); $("table").scrollIntoView(); }
    cell.setAttribute("role", "button"); cell.setAttribute("tabindex", "0");
    cell.setAttribute("aria-label", cell.querySelector("title").textContent);
    cell.addEventListener("click", pick);
    cell.addEventListener("keydown", function (e) { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); pick(); } });
  });

  // Colours of the plot.
  var SET = ["#d9480f", "#0b7285", "#7b5ea7", "#b7791f", "#34558b", "#2f8f5b", "#a61e4d", "#6b7785", "#c2a33a", "#94a3b3"];
  var CLASS = { framework: "#d9480f", antistructure: "#0b7285", zintl: "#7b5ea7", none: "#6b7785" };
  function ramp(share) {
    var stops = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [230, 200, 30]], t = Math.max(0, Math.min(1, share)) * 4, k = Math.min(3, Math.floor(t));
    return "rgb(" + stops[k].map(function (c, i) { return Math.round(c + (t - k) * (stops[k + 1][i] - c)); }).join() + ")";
  }
  function numbers(of) { return inRank.map(of).filter(function (x) { return !isNaN(x); }).sort(function (a, b) { return a - b; }); }
  var SCALES = {
    p: { of: function (row) { return Number(row.getAttribute("data-p")); } },
    distance: { of: function (row) { return value(row, C.distance, true); } }
  };
  var GROUPS = {
    "class": function (row) { return row.getAttribute("data-class"); },
    anion: function (row) { return row.getAttribute("data-anion"); },
    flag: function (row) { var f = row.querySelector(".flag"); return f ? f.textContent : "no flag"; },
    known: function (row) { var t = row.cells[C.known].textContent; return !t ? "new" : t.indexOf("same") === 0 ? "known" : "of a known type or formula"; }
  };
  function item(color, text) { var s = make("span"), dot = make("i"); dot.style.background = color; s.appendChild(dot); s.appendChild(document.createTextNode(text)); return s; }
  function colour(which) {
    var legend = $("legend"), scale = SCALES[which];
    legend.textContent = "";
    if (scale) {
      var list = numbers(scale.of), low = list[0] || 0, high = list[Math.floor(0.98 * (list.length - 1))] || 1;
      points.forEach(function (p) { p.style.color = ramp((scale.of(byRank[p.getAttribute("data-rank")]) - low) / (high - low || 1)); });
      [0, 0.25, 0.5, 0.75, 1].forEach(function (s) { legend.appendChild(item(ramp(s), (low + s * (high - low)).toFixed(2))); });
      return;
    }
    var counts = {};
    inRank.forEach(function (row) { var g = GROUPS[which](row); counts[g] = (counts[g] || 0) + 1; });
    var groups = Object.keys(counts).sort(function (a, b) { return counts[b] - counts[a]; });
    function shade(g) { return which === "class" ? CLASS[g] || "#6b7785" : SET[Math.min(groups.indexOf(g), SET.length - 1)]; }
    points.forEach(function (p) { p.style.color = shade(GROUPS[which](byRank[p.getAttribute("data-rank")])); });
    groups.slice(0, SET.length).forEach(function (g) { legend.appendChild(item(shade(g), g + " " + counts[g])); });
  }
  $("colours").hidden = false;
  $("colour").addEventListener("input", function () { colour($("colour").value); });
  colour("class");

  // The stage: a structure is unpacked when it is first shown.
  var groups = {}, viewer = null, isFlat = false, chosen = null, current = null;
  function unpacked(place) {
    if (!place) { return Promise.resolve(null); }
    if (!groups[place[0]]) {
      var text = atob(data.scenes[place[0]]), bytes = new Uint8Array(text.length);
      for (var k = 0; k < text.length; k += 1) { bytes[k] = text.charCodeAt(k); }
      if (!window.DecompressionStream) { return Promise.resolve(null); }
      var stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      groups[place[0]] = new Response(stream).json().then(function (list) { return list.map(window.ionsieve.unpack); });
    }
    return groups[place[0]].then(function (list) { return list[place[1]]; });
  }
  function parts() {
    var shown = {};
    all("#tools input").forEach(function (box) { shown[box.getAttribute("data-part")] = box.checked; });
    return shown;
  }
  function draw(scene, why) {
    current = scene;
    $("absent").hidden = Boolean(scene);
    $("view").classList.toggle("empty", !scene);
    $("chosen-key").textContent = "";
    if (!scene) { $("absent").textContent = why; return; }
    var seen = {};
    scene.key.forEach(function (look) {
      if (seen[look[3]]) { return; }
      seen[look[3]] = true;
      var s = make("span"), dot = make("span", "", "swatch"); dot.style.background = look[1];
      s.appendChild(dot); s.appendChild(document.createTextNode(look[3])); $("chosen-key").appendChild(s);
    });
    viewer.resize(); viewer.show(scene, parts());
  }
  function fact(name, text) { if (!text) { return; } $("facts").appendChild(make("dt", name)); $("facts").appendChild(make("dd", text)); }
  function copyInto(target, source) {
    target.textContent = "";
    Array.prototype.forEach.call(source.childNodes, function (n) { target.appendChild(n.cloneNode(true)); });
  }
  var SVG = "http://www.w3.org/2000/svg";
  function shape(parent, name, attributes, text) {
    var e = document.createElementNS(SVG, name);
    Object.keys(attributes).forEach(function (a) { e.setAttribute(a, attributes[a]); });
    if (text !== undefined) { e.textContent = text; }
    parent.appendChild(e);
    return e;
  }
  // log σ against 1000/T with its interval; the population line is straight, so are these.
  function arrhenius(values) {
    var svg = $("arrhenius");
    svg.textContent = "";
    svg.style.display = values ? "" : "none";
    if (!values) { return; }
    var T = data.temperatures_K, xs = T.map(function (t) { return 1000 / t; });
    var flat = values.map(function (v) { return v / 100; }), n = T.length, x0 = Math.min.apply(null, xs), x1 = Math.max.apply(null, xs);
    var y0 = Math.floor(Math.min.apply(null, flat)), y1 = Math.ceil(Math.max.apply(null, flat));
    function X(x) { return 40 + 248 * (x - x0) / (x1 - x0); }
    function Y(y) { return 148 - 138 * (y - y0) / (y1 - y0 || 1); }
    function line(offset) { return T.map(function (t, k) { return X(xs[k]).toFixed(1) + "," + Y(flat[offset + k]).toFixed(1); }); }
    var step = Math.max(1, Math.ceil((y1 - y0) / 5));
    for (var y = y0; y <= y1; y += step) {
      shape(svg, "line", { "class": "rule", x1: 40, x2: 288, y1: Y(y), y2: Y(y) });
      shape(svg, "text", { x: 34, y: Y(y) + 4, "text-anchor": "end" }, String(y).replace("-", "−"));
    }
    T.forEach(function (t, k) {
      shape(svg, "line", { "class": "rule", x1: X(xs[k]), x2: X(xs[k]), y1: 10, y2: 148 });
      shape(svg, "text", { x: X(xs[k]), y: 164, "text-anchor": k === 0 ? "end" : "middle" }, t + " K");
    });
    shape(svg, "polygon", { "class": "band", points: line(n).concat(line(2 * n).reverse()).join(" ") });
    shape(svg, "polyline", { "class": "centre", points: line(0).join(" ") });
    shape(svg, "line", { "class": "limit", x1: 40, x2: 288, y1: Y(data.threshold), y2: Y(data.threshold) });
    shape(svg, "text", { "class": "axis", x: 164, y: 184, "text-anchor": "middle" }, "log₁₀ σ / (S/cm) by 1000/T; 90 % interval");
  }
  function text(row, k) { return k < 0 ? "" : row.cells[k].textContent.trim().replace(/\s+/g, " "); }
  function choose(rank, from) {
    var row = byRank[rank];
    if (!row) { return; }
    all(".hit").forEach(function (e) { e.classList.remove("hit"); });
    all("[data-rank='" + rank + "']").forEach(function (e) { e.classList.add("hit"); });
    all(".pick, .card").forEach(function (e) { if (e.getAttribute("data-rank") === rank) { e.setAttribute("aria-current", "true"); } else { e.removeAttribute("aria-current"); } });
    chosen = rank;
    row.hidden = false;
    var more = detail(row), point = pointOf[rank], box = point ? point.getBBox() : null;
    if (box) { $("ring").setAttribute("cx", box.x + box.width / 2); $("ring").setAttribute("cy", box.y + box.height / 2); }
    copyInto($("chosen"), row.cells[C.formula]);
    $("chosen").insertBefore(document.createTextNode("#" + rank + " "), $("chosen").firstChild);
    $("chosen-id").textContent = text(row, C.id);
    copyInto($("chosen-flags"), row.cells[C.flags]);
    $("facts").textContent = "";
    fact("p_fast", text(row, C.p));
    fact("log₁₀ σ(300 K)", text(row, C.sigma) + "  [" + text(row, C.interval) + "]");
    fact("measured scale", text(row, C.experiment));
    fact("place", text(row, C.place) && text(row, C.place) + " in the shortlist");
    fact("core hours", text(row, C.hours));
    fact("domain distance", text(row, C.distance));
    fact("isolated anions", text(row, C.kind));
    fact("known", row.cells[C.known].title);
    fact("chosen for", more.next);
    fact("flagged for", more.why);
    arrhenius(more.t);
    var undrawn = more.scene ? "This browser cannot unpack the structures of the page." : "This structure is not in the page: ionsieve explain DIR ID draws it.";
    unpacked(more.scene).then(function (scene) { if (chosen === rank) { draw(scene, undrawn); } });
    root.setAttribute("data-chosen", rank);
    // Within its own frame: the page stays where the reader is.
    if (from !== "table") {
      var frame = row.closest(".scroll");
      frame.scrollTop += row.getBoundingClientRect().top - frame.getBoundingClientRect().top - frame.clientHeight / 2;
    }
  }
  function step(by) {
    var shown = rows.filter(function (row) { return !row.hidden; });
    var k = shown.findIndex(function (row) { return rankOf(row) === chosen; });
    var next = shown[Math.max(0, Math.min(shown.length - 1, k + by))];
    if (next) { choose(rankOf(next)); }
  }

  $("stage").hidden = $("side").hidden = false;
  viewer = window.ionsieve.webgl($("view"));
  isFlat = !viewer;
  if (isFlat) {
    $("still").hidden = false;
    viewer = window.ionsieve.flat($("still"));
    $("hint").textContent = "This browser offers no WebGL: structures are drawn flat. Drag or use the arrow keys to turn.";
  }
  $("tools").hidden = false;
  root.setAttribute("data-viewer", isFlat ? "flat" : "webgl");
  steer($("view"));

  // Arrow keys turn; the wheel zooms only after a click, so that scrolling past is not caught.
  function steer(view) {
    var active = false, turns = { ArrowLeft: [-8, "y"], ArrowRight: [8, "y"], ArrowUp: [-8, "x"], ArrowDown: [8, "x"] };
    view.addEventListener("pointerdown", function () { active = true; });
    view.addEventListener("pointerleave", function () { active = false; });
    view.addEventListener("wheel", function (e) { if (!active) { e.stopPropagation(); } }, true);
    view.addEventListener("keydown", function (e) {
      if (turns[e.key] && current) { e.preventDefault(); viewer.turn(turns[e.key][0], turns[e.key][1]); }
    });
  }
  function button(element, label, act) {
    element.tabIndex = 0; element.setAttribute("role", "button");
    if (label) { element.setAttribute("aria-label", label); }
    element.addEventListener("click", act);
    element.addEventListener("keydown", function (e) { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); act(); } });
  }
  function toStage() { $("explore").scrollIntoView({ block: "start" }); }
  points.forEach(function (p) { p.addEventListener("click", function () { choose(p.getAttribute("data-rank"), "plot"); }); });
  all(".pick").forEach(function (one) {
    var rank = one.getAttribute("data-rank"), show = make("button", "Show in 3-D", "show");
    show.type = "button";
    show.setAttribute("aria-label", "Show " + text(byRank[rank], C.formula) + " in three dimensions");
    one.querySelector(".what").appendChild(show);
    one.addEventListener("click", function () { choose(rank, "short"); });
    show.addEventListener("click", toStage);
  });
  all(".card").forEach(function (one) { button(one, "", function () { choose(one.getAttribute("data-rank"), "card"); toStage(); }); });
  all("[data-link]").forEach(function (row) { row.addEventListener("click", function () { choose(row.getAttribute("data-link"), "known"); toStage(); }); });
  body.addEventListener("click", function (e) {
    var row = e.target.closest("tr");
    if (row) { choose(rankOf(row), "table"); }
  });
  $("before").addEventListener("click", function () { step(-1); });
  $("after").addEventListener("click", function () { step(1); });
  all("#tools input").forEach(function (box) { box.addEventListener("change", function () { if (current) { viewer.show(current, parts()); } }); });
  $("home").addEventListener("click", function () { if (current) { viewer.home(); } });
  window.addEventListener("resize", function () { viewer.resize(); });
  var first = document.querySelector(".pick") || inRank[0];
  if (first) { choose(first.getAttribute("data-rank"), "start"); }
})();

// The structure of an explanation, turned by hand; parts can be hidden.
(function () {
  "use strict";
  function $(id) { return document.getElementById(id); }
  function all(selector) { return Array.prototype.slice.call(document.querySelectorAll(selector)); }
  var root = document.documentElement, packed = JSON.parse($("data").textContent);
  root.classList.add("js");
  if (!packed.at) { return; }
  var scene = window.ionsieve.unpack(packed);
  $("stage").hidden = false; $("picture").hidden = true;
  var viewer = window.ionsieve.webgl($("view"));
  root.setAttribute("data-viewer", viewer ? "webgl" : "flat");
  if (!viewer) { $("still").hidden = false; viewer = window.ionsieve.flat($("still")); }
  function parts() {
    var shown = {};
    all("#tools input").forEach(function (box) { shown[box.getAttribute("data-part")] = box.checked; });
    return shown;
  }
  function show() { viewer.show(scene, parts()); }
  all("#tools input").forEach(function (box) { box.addEventListener("change", show); });
  $("home").addEventListener("click", function () { viewer.home(); });
  var turns = { ArrowLeft: [-8, "y"], ArrowRight: [8, "y"], ArrowUp: [-8, "x"], ArrowDown: [8, "x"] }, active = false, view = $("view");
  view.addEventListener("pointerdown", function () { active = true; });
  view.addEventListener("pointerleave", function () { active = false; });
  view.addEventListener("wheel", function (e) { if (!active) { e.stopPropagation(); } }, true);
  view.addEventListener("keydown", function (e) { if (turns[e.key]) { e.preventDefault(); viewer.turn(turns[e.key][0], turns[e.key][1]); } });
  window.addEventListener("resize", function () { viewer.resize(); });
  viewer.resize(); show();
})();

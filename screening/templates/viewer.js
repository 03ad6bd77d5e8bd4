// Draws one scene with 3Dmol.js. Knows nothing of the page around it.
(function () {
  "use strict";
  var NET = "#7c2d12", CAGE = "#f08c3a", POLYHEDRON = "#86a3cf", BOND = "#34558b", CELL = "#64748b";

  function hasWebGL() {
    try {
      var canvas = document.createElement("canvas");
      return Boolean(window.$3Dmol && (canvas.getContext("webgl2") || canvas.getContext("webgl")));
    } catch (error) { return false; }
  }

  function at(list, k) { return { x: list[k], y: list[k + 1], z: list[k + 2] }; }

  // Triangles between sites as one translucent shape; each face has its own, flat normals.
  function surface(viewer, spheres, faces, color, alpha) {
    if (!faces.length) { return; }
    var vertices = [], normals = [], indices = [];
    faces.forEach(function (face) {
      var p = face.map(function (i) { return spheres[i]; });
      var u = [0, 1, 2].map(function (k) { return p[1][k] - p[0][k]; });
      var v = [0, 1, 2].map(function (k) { return p[2][k] - p[0][k]; });
      var n = { x: u[1] * v[2] - u[2] * v[1], y: u[2] * v[0] - u[0] * v[2], z: u[0] * v[1] - u[1] * v[0] };
      var start = vertices.length;
      p.forEach(function (q) { vertices.push(at(q, 0)); normals.push(n); });
      indices.push(start, start + 1, start + 2);
    });
    viewer.addCustom({ vertexArr: vertices, normalArr: normals, faceArr: indices, color: color, alpha: alpha });
  }

  function stick(viewer, start, end, radius, color) {
    viewer.addCylinder({ start: start, end: end, radius: radius, color: color, fromCap: "round", toCap: "round" });
  }

  function edges(viewer, spheres, list, radius, color) {
    list.forEach(function (e) { stick(viewer, at(spheres[e[0]], 0), at(spheres[e[1]], 0), radius, color); });
  }

  function net(viewer, list) {
    var dense = list.length > 120;
    list.forEach(function (e) {
      var a = at(e, 0), b = at(e, 3);
      if (e[6]) { stick(viewer, a, b, dense ? 0.06 : 0.11, NET); return; }
      if (dense) { return; }
      for (var k = 0; k < 3; k += 1) {
        var from = (2 * k + 0.6) / 6, to = (2 * k + 1.6) / 6;
        stick(viewer, along(a, b, from), along(a, b, to), 0.09, NET);
      }
    });
  }

  function along(a, b, t) {
    return { x: a.x + t * (b.x - a.x), y: a.y + t * (b.y - a.y), z: a.z + t * (b.z - a.z) };
  }

  // One model for each look, so that one style serves all its atoms.
  function atoms(viewer, spheres, shown) {
    var looks = {};
    spheres.forEach(function (s) {
      var role = s[7];
      if ((role === "mobile" && !shown.mobile) || (role === "bonded" && !shown.bonded)) { return; }
      var key = [s[3], s[4], s[5]].join();
      (looks[key] = looks[key] || { radius: s[3], color: s[4], opacity: s[5], atoms: [] }).atoms.push(
        { elem: "X", x: s[0], y: s[1], z: s[2], properties: { label: s[6] } });
    });
    Object.keys(looks).forEach(function (key) {
      var look = looks[key], model = viewer.addModel();
      model.addAtoms(look.atoms);
      model.setStyle({}, { sphere: { radius: look.radius, color: look.color, opacity: look.opacity } });
    });
  }

  function draw(viewer, scene, shown) {
    viewer.removeAllModels(); viewer.removeAllShapes(); viewer.removeAllLabels();
    var spheres = scene.spheres;
    atoms(viewer, spheres, shown);
    if (shown.cell) { scene.cell.forEach(function (c) { viewer.addLine({ start: at(c, 0), end: at(c, 3), color: CELL }); }); }
    if (shown.polyhedra) {
      edges(viewer, spheres, scene.bonds, 0.09, BOND);
      edges(viewer, spheres, scene.polyhedra.edges, 0.025, POLYHEDRON);
      surface(viewer, spheres, scene.polyhedra.faces, POLYHEDRON, 0.62);
    }
    if (shown.net) { net(viewer, scene.net); }
    if (shown.cages) {
      edges(viewer, spheres, scene.cages.edges, 0.03, CAGE);
      surface(viewer, spheres, scene.cages.faces, CAGE, 0.48);
      scene.cages.bare.forEach(function (c) {
        viewer.addSphere({ center: at(spheres[c[0]], 0), radius: c[1], color: CAGE, alpha: 0.3 });
      });
    }
    viewer.setHoverable({}, true, function (atom, where) {
      if (!atom.label_) {
        atom.label_ = where.addLabel(atom.properties.label, { position: atom, fontSize: 13, backgroundColor: "#1b2530", backgroundOpacity: 0.9 });
      }
    }, function (atom, where) {
      if (atom.label_) { where.removeLabel(atom.label_); atom.label_ = null; }
    });
    viewer.render();
  }

  window.ionsieveViewer = function (element) {
    if (!hasWebGL()) { return null; }
    var viewer = window.$3Dmol.createViewer(element, { backgroundColor: "white", antialias: true });
    if (!viewer) { return null; }
    viewer.setProjection("orthographic");
    var scene = null, shown = {};
    // zoomTo fits a ball around everything; from there, fill the frame as seen at the start.
    function home() {
      viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
      viewer.zoomTo();
      var wide = 1, high = 1, far = 1;
      function fit(s, room) {
        wide = Math.max(wide, Math.abs(s[0]) + room); high = Math.max(high, Math.abs(s[1]) + room);
        far = Math.max(far, Math.sqrt(s[0] * s[0] + s[1] * s[1] + s[2] * s[2]));
      }
      scene.spheres.forEach(function (s) { fit(s, 1); });
      scene.cages.bare.forEach(function (c) { fit(scene.spheres[c[0]], c[1]); });
      var shape = element.clientWidth / Math.max(element.clientHeight, 1);
      viewer.zoom(1.5 * Math.min(far / high, Math.max(shape, 1) * far / wide, 1.6));
      viewer.render();
    }
    return {
      show: function (one, parts) {
        var isNew = one !== scene, view = viewer.getView();
        scene = one; shown = parts;
        draw(viewer, scene, shown);
        if (isNew) { home(); } else { viewer.setView(view); viewer.render(); }
      },
      home: home,
      turn: function (degrees, axis) { viewer.rotate(degrees, axis); },
      resize: function () { viewer.resize(); }
    };
  };
})();

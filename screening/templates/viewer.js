// Unpacks scenes and draws one: with 3Dmol.js, or on a canvas where there is no WebGL. Knows nothing
// of the page around it.
(function () {
  "use strict";
  var NET = "#7c2d12", CAGE = "#f08c3a", POLYHEDRON = "#86a3cf", BOND = "#34558b", CELL = "#64748b";

  function hasWebGL() {
    try {
      var canvas = document.createElement("canvas");
      return Boolean(window.$3Dmol && (canvas.getContext("webgl2") || canvas.getContext("webgl")));
    } catch (error) { return false; }
  }

  // From whole hundredths of an ångström to what is drawn (screening/pages/packed.py).
  function unpack(packed) {
    var spheres = [], k;
    function rows(list, width) {
      var found = [];
      for (k = 0; k < list.length; k += width) { found.push(list.slice(k, k + width)); }
      return found;
    }
    function far(list) { return list.map(function (x) { return x / 100; }); }
    rows(packed.at, 5).forEach(function (s) {
      var look = packed.kinds[s[3]];
      spheres.push(far(s.slice(0, 3)).concat([look[0], look[1], look[2], look[3] + " (site " + s[4] + ")", look[4]]));
    });
    return {
      spheres: spheres,
      bonds: rows(packed.bonds, 2),
      polyhedra: { faces: rows(packed.faces, 3), edges: rows(packed.edges, 2) },
      cages: {
        faces: rows(packed.cageFaces, 3), edges: rows(packed.cageEdges, 2),
        bare: rows(packed.bare, 2).map(function (c) { return [c[0], c[1] / 100]; })
      },
      net: rows(packed.net, 7).map(function (e) { return far(e.slice(0, 6)).concat([e[6]]); }),
      cell: rows(packed.cell, 6).map(far),
      points: rows(packed.points || [], 4).map(function (p) { return far(p.slice(0, 3)).concat([p[3] / 100]); }),
      path: rows(packed.path || [], 4).map(function (p) { return far(p.slice(0, 3)).concat([p[3] / 100]); }),
      key: packed.kinds
    };
  }

  // From far to near: cold to warm, as the similarity map is read.
  function heat(share) {
    var low = [52, 85, 139], high = [217, 72, 15];
    return "#" + low.map(function (c, i) {
      return ("0" + Math.round(c + share * (high[i] - c)).toString(16)).slice(-2);
    }).join("");
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
    if (shown.points !== false) {
      scene.points.forEach(function (p) {
        viewer.addSphere({ center: at(p, 0), radius: 0.16, color: heat(p[3]), alpha: 0.85 });
      });
    }
    if (shown.path !== false) {
      scene.path.forEach(function (p, k) {
        viewer.addSphere({ center: at(p, 0), radius: 0.2, color: "#111827" });
        if (k && !p[3]) { stick(viewer, at(scene.path[k - 1], 0), at(p, 0), 0.09, "#111827"); }
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

  function webgl(element) {
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
  }

  // Orthographic balls and sticks from back to front, for browsers without WebGL.
  function flat(canvas) {
    var context = canvas.getContext("2d"), scene = null, shown = {}, turn, start;
    function identity() { return [1, 0, 0, 0, 1, 0, 0, 0, 1]; }
    function times(a, b) {
      var c = [];
      for (var i = 0; i < 3; i += 1) { for (var j = 0; j < 3; j += 1) { c.push(a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j]); } }
      return c;
    }
    function rotation(degrees, axis) {
      var c = Math.cos(degrees * Math.PI / 180), s = Math.sin(degrees * Math.PI / 180);
      return axis === "y" ? [c, 0, s, 0, 1, 0, -s, 0, c] : [1, 0, 0, 0, c, -s, 0, s, c];
    }
    function draw() {
      var width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
      if (!scene || !width) { return; }
      canvas.width = width * ratio; canvas.height = height * ratio;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      var most = 1;
      scene.spheres.forEach(function (s) { most = Math.max(most, Math.sqrt(s[0] * s[0] + s[1] * s[1] + s[2] * s[2]) + 0.6); });
      var scale = 0.5 * Math.min(width, height) / most * 1.15;
      function place(p) {
        return [0.5 * width + scale * (turn[0] * p[0] + turn[1] * p[1] + turn[2] * p[2]),
          0.5 * height - scale * (turn[3] * p[0] + turn[4] * p[1] + turn[5] * p[2]),
          turn[6] * p[0] + turn[7] * p[1] + turn[8] * p[2]];
      }
      var marks = [];
      function line(a, b, color, wide) {
        var p = place(a), q = place(b);
        marks.push([0.5 * (p[2] + q[2]), function () {
          context.strokeStyle = color; context.lineWidth = wide;
          context.beginPath(); context.moveTo(p[0], p[1]); context.lineTo(q[0], q[1]); context.stroke();
        }]);
      }
      function ball(p, radius, color, alpha) {
        var q = place(p);
        marks.push([q[2], function () {
          context.globalAlpha = alpha; context.fillStyle = color; context.strokeStyle = "#1e293b"; context.lineWidth = 0.7;
          context.beginPath(); context.arc(q[0], q[1], Math.max(radius * scale, 1.5), 0, 7); context.fill(); context.stroke();
          context.globalAlpha = 1;
        }]);
      }
      function face(corners, color, alpha) {
        var points = corners.map(place);
        marks.push([points.reduce(function (t, q) { return t + q[2]; }, 0) / points.length - 0.3, function () {
          context.globalAlpha = alpha; context.fillStyle = color; context.beginPath();
          points.forEach(function (q, k) { if (k) { context.lineTo(q[0], q[1]); } else { context.moveTo(q[0], q[1]); } });
          context.fill(); context.globalAlpha = 1;
        }]);
      }
      var s = scene.spheres;
      if (shown.cell) { scene.cell.forEach(function (c) { line(c.slice(0, 3), c.slice(3), CELL, 1); }); }
      if (shown.polyhedra) {
        scene.bonds.forEach(function (b) { line(s[b[0]], s[b[1]], BOND, 2); });
        scene.polyhedra.faces.forEach(function (f) { face(f.map(function (i) { return s[i]; }), POLYHEDRON, 0.3); });
      }
      if (shown.cages) { scene.cages.faces.forEach(function (f) { face(f.map(function (i) { return s[i]; }), CAGE, 0.14); }); }
      if (shown.net) { scene.net.forEach(function (e) { line(e.slice(0, 3), e.slice(3, 6), NET, 2); }); }
      s.forEach(function (one) {
        if ((one[7] === "mobile" && !shown.mobile) || (one[7] === "bonded" && !shown.bonded)) { return; }
        ball(one, one[3], one[4], one[5]);
      });
      if (shown.points !== false) { scene.points.forEach(function (p) { ball(p, 0.16, heat(p[3]), 0.85); }); }
      if (shown.path !== false) {
        scene.path.forEach(function (p, k) {
          ball(p, 0.2, "#111827", 1);
          if (k && !p[3]) { line(scene.path[k - 1], p, "#111827", 2); }
        });
      }
      marks.sort(function (a, b) { return a[0] - b[0]; }).forEach(function (m) { m[1](); });
    }
    turn = identity();
    canvas.addEventListener("pointerdown", function (e) { start = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); });
    canvas.addEventListener("pointerup", function () { start = null; });
    canvas.addEventListener("pointermove", function (e) {
      if (!start) { return; }
      turn = times(rotation(0.5 * (e.clientX - start[0]), "y"), times(rotation(0.5 * (e.clientY - start[1]), "x"), turn));
      start = [e.clientX, e.clientY];
      draw();
    });
    return {
      show: function (one, parts) { if (one !== scene) { turn = identity(); } scene = one; shown = parts; draw(); },
      home: function () { turn = identity(); draw(); },
      turn: function (degrees, axis) { turn = times(rotation(degrees, axis), turn); draw(); },
      resize: draw
    };
  }

  window.ionsieve = { unpack: unpack, webgl: webgl, flat: flat };
})();

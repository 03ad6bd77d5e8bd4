"""Shell lines that run external programs and go on with a run that was cut off.

What a cut-off segment left is moved into ``segment.001``, ``segment.002``, … before the program is
started again, so that no program appends to a file with half a frame at its end. The move itself
may be killed: it is finished at the next start.
"""

from __future__ import annotations

from typing import Final

_SHELVE: Final[str] = """\
shelve() {
  part=$(ls -d segment.*.part 2>/dev/null | head -n 1)
  if [ -z "$part" ]; then
    n=1
    while [ -e "$(printf 'segment.%03d' $n)" ]; do n=$((n + 1)); done
    part=$(printf 'segment.%03d.part' $n)
    mkdir "$part"
  fi
  for file in "$@"; do
    if [ -e "$file" ]; then mv "$file" "$part/"; fi
  done
}
"""

CP2K: Final[str] = (
    _SHELVE
    + """\
whole() { tail -n 1 "$1" 2>/dev/null | grep -q 'END FORCE_EVAL'; }
input=cp2k.inp
restart=
for file in run-1.restart run-1.restart.bak-1; do
  if [ -z "$restart" ] && whole "$file"; then restart=$file; fi
done
if [ -n "$restart" ]; then
  step=$(sed -n 's/^ *STEP_START_VAL *//p' "$restart" | head -n 1)
  left=$((STEPS - ${step:-0}))
  [ "$left" -le 0 ] && exit 0
  cp "$restart" from.restart
  if [ -s run-pos-1.xyz ] || [ -n "$(ls -d segment.*.part 2>/dev/null)" ]; then
    shelve run-1.ener run-1.cell cp2k.out run-pos-1.xyz
    mv "$part" "${part%.part}"
  fi
  input=cp2k-restart.inp
  sed "s/^    STEPS .*/    STEPS $left/" cp2k.inp > "$input"
  # Orbitals of the last step save most of the first SCF; a file of another size is cut off.
  if [ -s run-RESTART.wfn ] && [ -s run-RESTART.wfn.bak-1 ] && \\
     [ "$(wc -c < run-RESTART.wfn)" = "$(wc -c < run-RESTART.wfn.bak-1)" ]; then
    sed -i 's/SCF_GUESS ATOMIC/SCF_GUESS RESTART/' "$input"
  fi
  printf '&EXT_RESTART\\n  RESTART_FILE_NAME from.restart\\n&END EXT_RESTART\\n' >> "$input"
else
  rm -f run-1.ener run-1.cell run-pos-1.xyz
fi
rm -f exit_code
${IONSIEVE_CP2K:-cp2k} -i "$input" > cp2k.out 2> cp2k.err
"""
)
"""CP2K appends to files that it finds; a run without a whole restart file starts again."""

VASP: Final[str] = (
    _SHELVE
    + """\
if [ ! -s POTCAR ]; then
  echo "make POTCAR from the data sets named in POTCAR.spec first" >&2
  exit 1
fi
# Positions and velocities of every atom, none cut off.
whole() {
  [ -s "$1" ] && awk -v every="$(sed -n 7p POSCAR)" '
    BEGIN { n = split(every, count); for (i = 1; i <= n; i++) atoms += count[i] }
    NR > 8 && NF >= 3 { rows++ }
    END { exit !(rows >= 2 * atoms) }' "$1"
}
if [ -s XDATCAR ] || [ -s vasprun.xml ] || [ -n "$(ls -d segment.*.part 2>/dev/null)" ]; then
  # Half a line would count as one.
  if [ -s XDATCAR ] && [ -n "$(tail -c 1 XDATCAR)" ]; then sed -i '$ d' XDATCAR; fi
  shelve OUTCAR OSZICAR vasprun.xml XDATCAR
  if whole CONTCAR; then
    cp CONTCAR "$part/"
    mv CONTCAR POSCAR
    mv "$part" "${part%.part}"
  elif whole "$part/CONTCAR"; then
    mv "$part" "${part%.part}"
  else
    echo "CONTCAR is cut off: the last segment is run again" >&2
    n=1
    while [ -e "discarded.$n" ]; do n=$((n + 1)); done
    mv "$part" "discarded.$n"
  fi
fi
frames=$(awk -v every="$(sed -n 7p POSCAR)" '
  BEGIN { n = split(every, count); for (i = 1; i <= n; i++) atoms += count[i] }
  FNR == 1 { rows = atoms }
  /irect configuration/ { rows = 0; next }
  { if (++rows == atoms) whole++ }
  END { print whole + 0 }' segment.*/XDATCAR 2>/dev/null)
left=$((STEPS - ${frames:-0}))
[ "$left" -le 0 ] && exit 0
sed -i "s/^NSW *=.*/NSW = $left/" INCAR
rm -f exit_code
${IONSIEVE_VASP:-vasp_gam} > vasp.out 2> vasp.err
"""
)
"""``mv CONTCAR POSCAR`` keeps velocities and the predictor's state; every step is in XDATCAR."""

ESPRESSO: Final[str] = (
    _SHELVE
    + """\
input=pw.in
if [ -s out/run.md ] && [ -s out/run.save/data-file-schema.xml ]; then
  if grep -q 'Entering Dynamics' pw.out 2>/dev/null || \\
     [ -n "$(ls -d segment.*.part 2>/dev/null)" ]; then
    shelve pw.out
    mv "$part" "${part%.part}"
  fi
  left=$((STEPS - $(awk 'NR == 1 {print $2}' out/run.md)))
  [ "$left" -le 0 ] && exit 0
  input=pw-restart.in
  sed "s/calculation .*= 'md'/&\\n   restart_mode     = 'restart'/; s/nstep .*/nstep = $left/" \\
    pw.in > "$input"
fi
rm -f exit_code
${IONSIEVE_PW:-pw.x} -in "$input" > pw.out 2> pw.err
"""
)
"""pw.x keeps positions, those of the step before and the number of the step in ``out``."""

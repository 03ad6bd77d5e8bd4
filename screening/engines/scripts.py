"""Shell lines of jobs: the frame around every job, and what runs external programs in it.

What a cut-off segment left is moved into ``segment.001``, ``segment.002``, … before the program is
started again, so that no program appends to a file with half a frame at its end. The move itself
may be killed: it is finished at the next start.
"""

from __future__ import annotations

from typing import Final

from .engine import Script

_FRAME: Final[str] = """\
#!/bin/sh
# One run. Starting it again continues it; starting it twice at once is harmless.
cd "$(dirname "$0")" || exit 1
if [ -L {lock} ]; then echo "{lock} is a link: remove it" >&2; exit 1; fi
exec 9>{lock}
flock -n 9 || {{ echo "another process is running this job" >&2; exit 0; }}
rm -f exit_code job.err
date -u +%Y-%m-%dT%H:%M:%SZ > started
trap 'status=$?; echo "$status" > .exit_code && mv .exit_code exit_code' EXIT
trap 'exit 143' TERM USR1 XCPU
trap 'exit 130' INT
say() {{ echo "$1" | tee -a job.err >&2; }}
# Signals, such as that before a walltime limit, are passed on to the program.
run() {{
  command -v "$1" > /dev/null || {{
    say "$1 was not found on $(uname -n): load its module${{program:+, or set $program}}"
    return 127
  }}
  signalled=
  "$@" &
  child=$!
  trap 'signalled=1; kill -TERM "$child" 2> /dev/null' TERM INT USR1 XCPU
  wait "$child"; status=$?
  while kill -0 "$child" 2> /dev/null; do wait "$child"; status=$?; done
  trap 'exit 143' TERM USR1 XCPU
  trap 'exit 130' INT
  [ -n "$signalled" ] && status=143
  return "$status"
}}
[ -e stop.json ] && exit 0
"""


START_LOCK: Final[str] = ".start"
"""Held by the script of a program that holds ``.lock`` itself."""


def job_script(script: Script) -> str:
    """``job.sh``: one process at a time, the exit status kept, then the engine's lines."""
    lock = START_LOCK if script.locks_itself else ".lock"
    return _FRAME.format(lock=lock) + script.lines


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

_CP2K_START: Final[str] = (
    _SHELVE
    + """\
program=IONSIEVE_CP2K
whole() { tail -n 1 "$1" 2>/dev/null | grep -q 'END FORCE_EVAL'; }
input=cp2k.inp
restart=
for file in run-1.restart run-1.restart.bak-1; do
  if [ -z "$restart" ] && whole "$file"; then restart=$file; fi
done
if [ -n "$restart" ]; then
"""
)
"""Up to the branch of a job that has a whole restart file: the newest one that is."""

CP2K: Final[str] = (
    _CP2K_START
    + """\
  step=$(sed -n 's/^ *STEP_START_VAL *\\([0-9][0-9]*\\).*/\\1/p' "$restart" | head -n 1)
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
rm -f EXIT run.EXIT
run ${IONSIEVE_CP2K:-cp2k} -i "$input" > cp2k.out 2> cp2k.err
exit $?
"""
)
"""CP2K appends to files that it finds; a run without a whole restart file starts again."""

_POTCAR: Final[str] = """\
program=IONSIEVE_VASP
if [ ! -s POTCAR ] && [ -n "$IONSIEVE_POTCARS" ]; then
  for set in $(cat POTCAR.spec); do
    [ -s "$IONSIEVE_POTCARS/$set/POTCAR" ] || {
      say "no POTCAR of $set in $IONSIEVE_POTCARS"
      exit 78
    }
    cat "$IONSIEVE_POTCARS/$set/POTCAR"
  done > .POTCAR && mv .POTCAR POTCAR
fi
if [ ! -s POTCAR ]; then
  say "no POTCAR: make it from the data sets named in POTCAR.spec, or set IONSIEVE_POTCARS to \
the folder of the data sets"
  exit 78
fi
vasp=${IONSIEVE_VASP:-vasp_gam}
if [ "$GAMMA" = 0 ]; then vasp=${IONSIEVE_VASP_STD:-${IONSIEVE_VASP:-vasp_std}}; fi
rm -f STOPCAR
"""
_WHOLE: Final[str] = """\
# Positions of every atom, none cut off.
geometry() {
  [ -s "$1" ] && awk -v every="$(sed -n 7p POSCAR)" '
    BEGIN { n = split(every, count); for (i = 1; i <= n; i++) atoms += count[i] }
    NR > 8 && NF >= 3 { rows++ }
    END { exit !(rows >= atoms) }' "$1"
}
"""

VASP: Final[str] = (
    _SHELVE
    + _POTCAR
    + """\
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
run $vasp > vasp.out 2> vasp.err
exit $?
"""
)
"""``mv CONTCAR POSCAR`` keeps velocities and the predictor's state; every step is in XDATCAR."""

VASP_RELAX: Final[str] = (
    _SHELVE
    + _POTCAR
    + _WHOLE
    + """\
if [ -s OSZICAR ] || [ -n "$(ls -d segment.*.part 2>/dev/null)" ]; then
  shelve OUTCAR OSZICAR vasprun.xml XDATCAR
  if geometry CONTCAR; then cp CONTCAR POSCAR; fi
  mv "$part" "${part%.part}"
fi
# The basis belongs to the cell that a run began with: again, until the cell hardly changes.
pass=1
while :; do
  run $vasp > vasp.out 2> vasp.err
  status=$?
  [ $status -eq 0 ] || exit $status
  ionic=$(grep -c 'F=' OSZICAR)
  if [ "$ionic" -le 3 ] || [ $pass -ge 4 ]; then exit 0; fi
  grep -q 'reached required accuracy' OUTCAR || exit 0
  geometry CONTCAR || exit 0
  shelve OUTCAR OSZICAR vasprun.xml XDATCAR
  cp CONTCAR POSCAR
  mv "$part" "${part%.part}"
  pass=$((pass + 1))
done
"""
)
"""Ions and cell; a relaxation that was cut off goes on from its last geometry."""

_UPF: Final[str] = """\
program=IONSIEVE_PW
mkdir -p pseudo
for element in $(awk '/ATOMIC_SPECIES/ {on = 1; next} /ATOMIC_POSITIONS|K_POINTS|CELL/ {on = 0}
    on && NF >= 3 {print $3}' pw.in | sort -u); do
  if [ ! -s "pseudo/$element" ] && [ -n "$IONSIEVE_UPFS" ] && [ -s "$IONSIEVE_UPFS/$element" ]; then
    cp "$IONSIEVE_UPFS/$element" "pseudo/$element"
  fi
  [ -s "pseudo/$element" ] || {
    say "no pseudo/$element: put it there, or set IONSIEVE_UPFS to a folder that has it"
    exit 78
  }
done
# pw.x starts from a magnetisation as a share of the valence electrons of the potential in use.
valence() {
  sed -n -e 's/.*z_valence="\\([^"]*\\)".*/\\1/p' \\
    -e 's/^ *\\([0-9.]*\\) *Z valence.*/\\1/p' "$1" |
    head -n 1
}
if [ -s moments.txt ]; then
  while read -r number file moment; do
    share=$(awk -v m="$moment" -v z="$(valence "pseudo/$file")" \
      'BEGIN { if (z > 0) printf "%.6f", m / z }')
    [ -n "$share" ] || { say "pseudo/$file does not say its number of valence electrons"; exit 78; }
    sed -i "s/starting_magnetization($number) *=.*/starting_magnetization($number) = $share/" pw.in
  done < moments.txt
fi
rm -f out/run.EXIT run.EXIT
"""

ESPRESSO: Final[str] = (
    _SHELVE
    + _UPF
    + """\
input=pw.in
if [ -s out/run.md ] && [ -s out/run.save/data-file-schema.xml ]; then
  if grep -q 'Entering Dynamics' pw.out 2>/dev/null || \\
     [ -n "$(ls -d segment.*.part 2>/dev/null)" ]; then
    shelve pw.out
    mv "$part" "${part%.part}"
  fi
  left=$((STEPS - $(awk 'NR == 1 {printf "%d", $2}' out/run.md)))
  [ "$left" -le 0 ] && exit 0
  input=pw-restart.in
  sed "s/calculation .*= 'md'/&\\n   restart_mode     = 'restart'/; s/nstep .*/nstep = $left/" \\
    pw.in > "$input"
fi
run ${IONSIEVE_PW:-pw.x} -in "$input" > pw.out 2> pw.err
exit $?
"""
)
"""pw.x keeps positions, those of the step before and the number of the step in ``out``."""

ESPRESSO_RELAX: Final[str] = (
    _SHELVE
    + _UPF
    + """\
input=pw.in
if [ -s pw.out ] || [ -n "$(ls -d segment.*.part 2>/dev/null)" ]; then
  shelve pw.out
  mv "$part" "${part%.part}"
  if [ -s out/run.save/data-file-schema.xml ]; then
    input=pw-restart.in
    sed "s/calculation .*= 'vc-relax'/&\\n   restart_mode     = 'restart'/" pw.in > "$input"
  fi
fi
run ${IONSIEVE_PW:-pw.x} -in "$input" > pw.out 2> pw.err
status=$?
# Status 3 says that the steps are spent, which is an end like any other.
[ $status -eq 3 ] && grep -q 'maximum number of steps has been reached' pw.out && exit 0
exit $status
"""
)

CP2K_RELAX: Final[str] = (
    _CP2K_START
    + """\
  cp "$restart" from.restart
  if [ -s run-pos-1.xyz ] || [ -n "$(ls -d segment.*.part 2>/dev/null)" ]; then
    shelve run-1.cell cp2k.out run-pos-1.xyz
    mv "$part" "${part%.part}"
  fi
  input=cp2k-restart.inp
  cp cp2k.inp "$input"
  printf '&EXT_RESTART\\n  RESTART_FILE_NAME from.restart\\n&END EXT_RESTART\\n' >> "$input"
else
  rm -f run-1.cell run-pos-1.xyz
fi
rm -f EXIT run.EXIT
run ${IONSIEVE_CP2K:-cp2k} -i "$input" > cp2k.out 2> cp2k.err
exit $?
"""
)

# Makes a virtual environment with this package in it. Sourced by scripts/check and
# scripts/quickstart, from the root of the repository.

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 2
}

# Prints an interpreter of Python $1 (for example 3.12); with no argument, python3.11 or else
# the first python3 that is new enough. A candidate counts only if it runs: version managers
# put commands on the PATH for interpreters that are not active.
find_python() {
    local wanted="${1:-}" candidate rule
    local -a candidates
    if [[ -n "$wanted" ]]; then
        candidates=("python$wanted" python3 "${PYENV_ROOT:-$HOME/.pyenv}/versions/$wanted".*/bin/python)
        rule="'.'.join(map(str, sys.version_info[:2])) == '$wanted'"
    else
        candidates=(python3.11 python3 python)
        rule="sys.version_info >= (3, 11)"
    fi
    for candidate in "${candidates[@]}"; do
        if "$candidate" -c "import sys; sys.exit(not ($rule))" 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    if [[ -n "$wanted" ]]; then
        fail "Python $wanted was not found. Install it, or leave out --python."
    fi
    fail "Python 3.11 or later is needed, but the one found is $(python3 --version 2>&1 ||
        echo none). Install Python 3.11 and run this again."
}

# install VENV EXTRAS [VERSION]: VENV holds this package, editable, with EXTRAS ("" or
# "[test]") at the pinned versions. Does nothing where that is so already.
install() {
    local venv="$1" extras="$2" wanted="${3:-}" python state stamp
    if ! "$venv/bin/python" -c "import pip" 2>/dev/null; then
        python="$(find_python "$wanted")"
        printf 'Making %s with %s\n' "$venv" "$("$python" --version)"
        "$python" -m venv --clear "$venv" ||
            fail "a virtual environment could not be made (on Debian: apt-get install python3-venv)."
    fi

    # The path is part of the state because an editable install points to it.
    state="$(printf '%s ' "$PWD"; cat pyproject.toml constraints.txt | cksum)"
    for stamp in "$venv/installed$extras" "$venv/installed[test]"; do
        if [[ -f "$stamp" && "$(<"$stamp")" == "$state" ]]; then
            return
        fi
    done
    printf 'Installing into %s (some minutes the first time)\n' "$venv"
    "$venv/bin/python" -m pip install -qq --no-input --disable-pip-version-check \
        --constraint constraints.txt --editable ".$extras"
    printf '%s' "$state" >"$venv/installed$extras"
}

# Functions that create a virtual environment with this package. scripts/check and
# scripts/quickstart source this file from the root of the repository.

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 2
}

# find_python [VERSION]
# Prints the command of Python VERSION (for example 3.12). Without a version it prints python3.11,
# or else the first python3 that is new enough. Each candidate is run, because version managers
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

# Prints the version of the newest Python that is installed, of those that dependencies support.
newest_python() {
    local version
    for version in 3.14 3.13 3.12 3.11; do
        if (find_python "$version") >/dev/null 2>&1; then
            printf '%s\n' "$version"
            return
        fi
    done
}

# create_venv VENV [VERSION]
# Creates the virtual environment VENV, unless it exists and has pip.
create_venv() {
    local venv="$1" wanted="${2:-}" python
    if "$venv/bin/python" -c "import pip" 2>/dev/null; then
        return
    fi
    python="$(find_python "$wanted")"
    printf 'Creating %s with %s\n' "$venv" "$("$python" --version)"
    "$python" -m venv --clear "$venv" ||
        fail "the virtual environment could not be created (on Debian: apt-get install python3-venv)."
}

# install VENV EXTRAS [VERSION]
# Installs this package into VENV in editable form, with EXTRAS ("" or "[test]") and the versions
# of constraints.txt. Returns at once if VENV is up to date.
install() {
    local venv="$1" extras="$2" wanted="${3:-}" state stamp
    create_venv "$venv" "$wanted"

    # The path is part of the state because an editable install points to it.
    state="$(printf '%s ' "$PWD"; cat pyproject.toml constraints.txt | cksum)"
    for stamp in "$venv/installed$extras" "$venv/installed[test]"; do
        if [[ -f "$stamp" && "$(<"$stamp")" == "$state" ]]; then
            return
        fi
    done
    printf 'Installing into %s (takes minutes the first time)\n' "$venv"
    "$venv/bin/python" -m pip install -qq --no-input --disable-pip-version-check \
        --constraint constraints.txt --editable ".$extras"
    printf '%s' "$state" >"$venv/installed$extras"
}

# install_newest VENV [VERSION]
# Installs this package into VENV without version constraints, then the newest jax, equinox and
# diffrax. These may be newer than pyproject.toml allows; pip only warns about that. The newest
# Python is the default, because new releases of jax drop old ones.
install_newest() {
    local venv="$1" wanted="${2:-}" pip
    create_venv "$venv" "${wanted:-$(newest_python)}"
    pip=("$venv/bin/python" -m pip install -qq --no-input --disable-pip-version-check)
    printf 'Installing the newest versions into %s\n' "$venv"
    "${pip[@]}" --editable ".[test]"
    "${pip[@]}" --upgrade jax jaxlib equinox diffrax
    "$venv/bin/python" -m pip list --disable-pip-version-check | grep -E '^(jax|jaxlib|equinox|diffrax) '
}

#!/bin/sh
# Keeps the newest versions of SOURCE, a folder that rclone reads, in MODELS, the folder the server watches, and those
# that CONFIG, the server's list of models, names, however old they are.
# A version is taken once its listing stands still, and appears by a rename; MODELS never holds half of one.
set -u
: "${SOURCE:?}" "${MODELS:?}" "${CONFIG:=/dev/null}" "${KEEP:=3}" "${WAIT:=30}" "${SETTLE:=5}" "${ROUNDS:=0}"

numbers() { # only names that are numbers, ascending
    sed 's,/$,,' | grep -E '^[0-9]+$' | sort -n
}

named() { # by the policy of CONFIG; num_versions names none
    sed -n 's/^ *versions: *\([0-9][0-9]*\) *$/\1/p' "$CONFIG"
}

listing() {
    rclone lsf --recursive --files-only --format ps "$SOURCE/$1" | sort
}

take() {
    before=$(listing "$1") || return 1
    sleep "$SETTLE"
    after=$(listing "$1") || return 1
    if [ "$before" != "$after" ] || ! echo "$after" | grep -q '^saved_model.pb;'; then
        echo "version $1 is not complete yet" >&2
        return 1
    fi
    rm -rf "$MODELS/.copying-$1"
    rclone copy "$SOURCE/$1" "$MODELS/.copying-$1" || return 1
    if [ "$after" != "$(listing "$1")" ]; then
        echo "version $1 changed while it was copied" >&2
        return 1
    fi
    mv "$MODELS/.copying-$1" "$MODELS/$1"
    echo "took version $1"
}

update() {
    found=$(rclone lsf --dirs-only "$SOURCE") || return 1
    there=$(echo "$found" | numbers)
    wanted=$({
        echo "$there" | tail -n "$KEEP"
        for version in $(named); do echo "$there" | grep -x "$version"; done
    } | sort -nu)
    [ -n "$wanted" ] || { echo "there is no version in $SOURCE" >&2; return 1; }
    for version in $wanted; do
        [ -e "$MODELS/$version" ] || take "$version"
    done
    kept=$(ls "$MODELS" | numbers)
    newest=$(echo "$kept" | tail -n 1)
    for version in $kept; do
        # The newest stays in any case, so that there is always one to serve.
        if [ "$version" != "$newest" ] && ! { echo "$wanted"; named; } | grep -qx "$version"; then
            rm -rf "${MODELS:?}/$version"
            echo "removed version $version"
        fi
    done
}

trap 'exit 0' TERM INT
round=0
while :; do
    update || echo "trying again in $WAIT seconds" >&2
    round=$((round + 1))
    [ "$round" -eq "$ROUNDS" ] && exit 0
    sleep "$WAIT" &
    wait $!
done

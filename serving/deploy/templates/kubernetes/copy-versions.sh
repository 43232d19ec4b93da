#!/bin/sh
# Keeps the newest versions of SOURCE, a folder that rclone reads, in MODELS, the folder the server watches.
# A version is taken once its listing stands still, and appears by a rename; MODELS never holds half of one.
set -u
: "${SOURCE:?}" "${MODELS:?}" "${KEEP:=3}" "${WAIT:=30}" "${SETTLE:=5}" "${ROUNDS:=0}"

numbers() { # only names that are numbers, ascending
    sed 's,/$,,' | grep -E '^[0-9]+$' | sort -n
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
    wanted=$(echo "$found" | numbers | tail -n "$KEEP")
    [ -n "$wanted" ] || { echo "there is no version in $SOURCE" >&2; return 1; }
    for version in $wanted; do
        [ -e "$MODELS/$version" ] || take "$version"
    done
    kept=$(ls "$MODELS" | numbers)
    newest=$(echo "$kept" | tail -n 1)
    for version in $kept; do
        # The newest stays in any case, so that there is always one to serve.
        if [ "$version" != "$newest" ] && ! echo "$wanted" | grep -qx "$version"; then
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

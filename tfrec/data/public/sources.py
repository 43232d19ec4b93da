"""Gets the files of a public data set: from an unpacked folder, from a zip file, or downloaded."""

from __future__ import annotations

import io
import os
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence

from tfrec.data.files import writing
from tfrec.errors import DataError

_TIMEOUT = 30  # seconds without an answer
_CHUNK = 1 << 16


def read_source(source: str, names: Sequence[str]) -> dict[str, bytes]:
    """The content of the files called `names`, which lie in a folder, one folder below it, or in a zip file.

    Raises:
        DataError: if the source does not exist, is no zip file or lacks one of the files.
    """
    if os.path.isdir(source):
        found = _files_in_folder(source, names)
    elif os.path.isfile(source):
        found = _files_in_zip(source, names)
    else:
        raise DataError(f"the source {source} does not exist; give the unpacked folder or the zip file")
    for name in names:
        if name not in found:
            raise DataError(f"the source {source} has no {name}; expected a folder or zip file with {', '.join(names)}")
    return found


def _files_in_folder(folder: str, names: Sequence[str]) -> dict[str, bytes]:
    below = [os.path.join(folder, entry) for entry in sorted(os.listdir(folder))]
    candidates = [folder, *(path for path in below if os.path.isdir(path))]
    for candidate in candidates:  # all files from one folder, so that two data sets side by side do not mix
        if all(os.path.isfile(os.path.join(candidate, name)) for name in names):
            break
    else:
        candidate = folder
    found = {}
    for name in names:
        path = os.path.join(candidate, name)
        if os.path.isfile(path):
            try:
                with open(path, "rb") as file:
                    found[name] = file.read()
            except OSError as error:
                raise DataError(f"cannot read {path}: {error.strerror}; check the source") from error
    return found


def _files_in_zip(path: str, names: Sequence[str]) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.rsplit("/", 1)[-1]: member for member in archive.namelist() if member.count("/") <= 1}
            return {name: archive.read(members[name]) for name in names if name in members}
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise DataError(f"{path} is no readable zip file ({error}); fetch it again or give the folder") from error


def download(url: str, path: str, progress: Callable[[int, int], None] | None = None) -> str:
    """Fetch `url` into the file `path` unless it is there already; return `path`.

    `progress` is called with (bytes done, bytes in all, 0 if unknown). The file appears only when it is complete.

    Raises:
        DataError: if the server cannot be reached, answers with an error, or the file cannot be written.
    """
    if os.path.isfile(path):
        return path
    advice = "fetch it by other means and give the folder or zip file with --source"
    content = io.BytesIO()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
            total = int(answer.headers.get("Content-Length") or 0)
            while chunk := answer.read(_CHUNK):
                content.write(chunk)
                if progress is not None:
                    progress(content.tell(), total)
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"cannot download {url}: {reason}; {advice}") from error
    if total and content.tell() != total:
        raise DataError(f"the download of {url} broke off after {content.tell()} of {total} bytes; {advice}")
    partial = f"{path}.partial"
    with writing(path):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(partial, "wb") as file:
            file.write(content.getvalue())
        os.replace(partial, path)
    return path

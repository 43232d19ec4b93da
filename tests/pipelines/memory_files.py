"""TensorFlow's file system in memory, ram://, as one of Beam, which knows only those of real object stores."""

import contextlib
import io
import os

import tensorflow as tf
from apache_beam.io.filesystem import CompressedFile, CompressionTypes, FileMetadata, FileSystem

from tfrec.data.files import opened


class MemoryFiles(FileSystem):
    """What Beam asks of the file system behind ram://."""

    @classmethod
    def scheme(cls):
        return "ram"

    def join(self, basepath, *paths):
        return os.path.join(basepath, *paths)

    def split(self, path):
        return os.path.split(path)

    def mkdirs(self, path):
        tf.io.gfile.makedirs(path)

    def has_dirs(self):
        return True

    def _list(self, dir_or_prefix):
        for folder, _, names in tf.io.gfile.walk(dir_or_prefix.rstrip("/")):
            paths = [os.path.join(folder, name) for name in names]
            # ram:// lists of "a_b" in "a" a file "_b" that is none.
            yield from (self.metadata(path) for path in paths if self.exists(path))

    def create(self, path, mime_type="application/octet-stream", compression_type=CompressionTypes.AUTO):
        return self._compressed(_Written(path), path, compression_type)

    def open(self, path, mime_type="application/octet-stream", compression_type=CompressionTypes.AUTO):
        with opened(path, "a test") as file:
            content = _Read(file.read())
        return self._compressed(content, path, compression_type)

    def _compressed(self, file, path, kind):
        kind = FileSystem._get_compression_type(path, kind)
        return file if kind == CompressionTypes.UNCOMPRESSED else CompressedFile(file, compression_type=kind)

    def copy(self, source_file_names, destination_file_names):
        for source, destination in zip(source_file_names, destination_file_names):
            tf.io.gfile.copy(source, destination, overwrite=True)

    def rename(self, source_file_names, destination_file_names):
        for source, destination in zip(source_file_names, destination_file_names):
            tf.io.gfile.rename(source, destination, overwrite=True)

    def exists(self, path):
        return tf.io.gfile.exists(path)

    def size(self, path):
        return tf.io.gfile.stat(path).length

    def last_updated(self, path):
        return tf.io.gfile.stat(path).mtime_nsec / 1e9

    def checksum(self, path):
        return str(self.size(path))

    def metadata(self, path):
        return FileMetadata(path, self.size(path), self.last_updated(path))

    def delete(self, paths):
        for path in paths:
            (tf.io.gfile.rmtree if tf.io.gfile.isdir(path) else tf.io.gfile.remove)(path)


def mend(monkeypatch):
    """Let `tf.io.gfile` treat folders of ram:// as object stores do.

    That of TensorFlow loses what is in a folder that is renamed, leaves files of one that is removed, and lists of a
    file "a_b" a file "_b" in the folder "a", which is none.
    """
    gfile = tf.io.gfile
    rename, rmtree, listdir, walk = gfile.rename, gfile.rmtree, gfile.listdir, gfile.walk

    def in_memory(path):
        return str(path).startswith("ram://")

    def listed(path):
        names = listdir(path)
        return [name for name in names if gfile.exists(os.path.join(path, name))] if in_memory(path) else names

    def walked(top, topdown=True, onerror=None):
        if not in_memory(top):
            yield from walk(top, topdown, onerror)
            return
        names = listed(top)
        folders = [name for name in names if gfile.isdir(os.path.join(top, name))]
        here = (top, folders, [name for name in names if name not in folders])
        if topdown:
            yield here
        for name in folders:
            yield from walked(os.path.join(top, name), topdown, onerror)
        if not topdown:
            yield here

    def removed(path):
        if not in_memory(path):
            return rmtree(path)
        for folder, _, names in list(walked(path)):
            for name in names:
                gfile.remove(os.path.join(folder, name))
        # Of a folder in which no file is left it may find nothing to remove.
        with contextlib.suppress(tf.errors.NotFoundError):
            rmtree(path)

    def renamed(source, destination, overwrite=False):
        if not (in_memory(source) and gfile.isdir(source)):
            return rename(source, destination, overwrite)
        for folder, _, names in list(walked(source)):
            target = destination + folder.rstrip("/").removeprefix(source.rstrip("/"))
            gfile.makedirs(target)
            for name in names:
                gfile.copy(os.path.join(folder, name), os.path.join(target, name), overwrite)
        removed(source)

    for name, function in {"listdir": listed, "walk": walked, "rmtree": removed, "rename": renamed}.items():
        monkeypatch.setattr(gfile, name, function)


class _Read(io.BytesIO):
    """What was in a file."""

    mode = "rb"  # Beam asks before it decompresses


class _Written(io.BytesIO):
    """A file that is there once it is closed."""

    mode = "wb"

    def __init__(self, path):
        super().__init__()
        self.path = path

    def close(self):
        if not self.closed:
            with tf.io.gfile.GFile(self.path, "wb") as file:
                file.write(self.getvalue())
        super().close()

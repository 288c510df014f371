"""The IDX file format, in which MNIST and its siblings are published.

A big-endian header (two zero bytes, a type code, the number of dimensions, then each dimension as a 32-bit
unsigned integer) is followed by the values in row-major order. Source: Y. LeCun, C. Cortes and C. J. C.
Burges, "The MNIST database of handwritten digits", section "File formats".
"""

import gzip
import math
import zlib

import numpy as np

from mho.errors import InputError

_GZIP_MAGIC = b"\x1f\x8b"

# The third byte of the magic number names the type of the values.
_VALUE_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def unpack(content: bytes, origin: str) -> bytes:
    """Return what a file holds: gunzipped where it is gzip data, as it is where it is not.

    Args:
        content: the file's bytes.
        origin: the file's name, for the error.

    Raises:
        InputError: the gzip data are cut short or damaged.

    """
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise InputError(f"{origin}: damaged gzip file: {problem}") from problem


def parse_idx(content: bytes, origin: str) -> np.ndarray:
    """Read the array out of an IDX file's bytes, raw or gzipped.

    Args:
        content: the file's bytes.
        origin: the file's name, for the errors.

    Returns:
        The array, with the shape that the header gives and in the machine's byte order. Values of one byte
        are a read-only view of `content`, not a copy.

    Raises:
        InputError: the magic number is wrong, or the values are fewer or more than the header says.

    """
    content = unpack(content, origin)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _VALUE_TYPES or content[3] == 0:
        raise InputError(
            f"{origin}: not an IDX file: it begins with {content[:4].hex(' ') or 'nothing'}, expected 00 00, "
            f"a type code ({', '.join(f'{code:02x}' for code in _VALUE_TYPES)}) and the number of dimensions"
        )
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise InputError(f"{origin}: cut short: {len(content)} bytes, but its header alone takes {header}")
    shape = tuple(np.frombuffer(content, ">u4", count=content[3], offset=4).tolist())
    dtype = np.dtype(_VALUE_TYPES[content[2]])
    expected = header + dtype.itemsize * math.prod(shape)
    if len(content) != expected:
        fault = "cut short" if len(content) < expected else "too long"
        raise InputError(
            f"{origin}: {fault}: {len(content)} bytes, expected {expected} "
            f"for an array of {' x '.join(map(str, shape))}"
        )
    try:
        values = np.frombuffer(content, dtype, offset=header).reshape(shape)
    except ValueError as problem:  # NumPy holds 64 dimensions at most, and an empty array must still have a size
        raise InputError(f"{origin}: an array of {content[3]} dimensions cannot be held: {problem}") from problem
    return values.astype(dtype.newbyteorder("="), copy=False)

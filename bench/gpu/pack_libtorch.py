#!/usr/bin/env python3
"""Reduces libtorch's CUDA build to one GPU architecture, so that it can be carried to a host that reaches no registry.

    pack_libtorch.py JAR ARCHIVE [--sm 90] [--preset 6]

JAR is org.bytedeco:pytorch with the classifier linux-x86_64-gpu, ARCHIVE a .tar.xz that holds its libraries under the path
that they have in the jar, so that the folder it is unpacked into can stand on a class path in the jar's place.

In every fat binary of a library (sections .nv_fatbin and __nv_relfatbin) the payloads of the other architectures are
overwritten with zeros, which compress away; headers and offsets stay, so a library keeps its size and layout. A fat binary
without code for the wanted architecture stays whole. Layout of a fat binary: magic, version, header size (u16) and body size
(u64); in the body entries of kind, version (u16 each), header size (u32) and payload size (u64), the architecture at byte 28.
"""
import argparse
import mmap
import os
import re
import struct
import subprocess
import sys
import tempfile
import zipfile

MAGIC = struct.pack("<I", 0xBA55ED50)
SECTION = re.compile(r"\s*\[\s*\d+\]\s+(\S+)\s+\S+\s+\S+\s+(\w+)\s+(\w+)")


def fat_binary_sections(path):
    listing = subprocess.check_output(["readelf", "-SW", path], text=True)
    for line in listing.splitlines():
        found = SECTION.match(line)
        if found and found.group(1) in (".nv_fatbin", "__nv_relfatbin"):
            yield int(found.group(2), 16), int(found.group(3), 16)


def entries(data, at):
    """Architecture, start and size of each payload of the fat binary at `at`, and where it ends."""
    _, _, header, body = struct.unpack_from("<IHHQ", data, at)
    position, end = at + header, at + header + body
    payloads = []
    while position < end:
        _, _, entry_header, size = struct.unpack_from("<HHIQ", data, position)
        (architecture,) = struct.unpack_from("<I", data, position + 28)
        payloads.append((architecture, position + entry_header, size))
        position += entry_header + size
    return payloads, end


def keep_only(path, architecture):
    """Zeroes the payloads of other architectures; returns how many bytes were kept and dropped."""
    kept = dropped = 0
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        for start, size in fat_binary_sections(path):
            position, end = start, start + size
            while (position := data.find(MAGIC, position, end)) >= 0:
                payloads, position = entries(data, position)
                wanted = [payload for payload in payloads if payload[0] == architecture]
                for payload in payloads:
                    if wanted and payload[0] != architecture:
                        data[payload[1]:payload[1] + payload[2]] = bytes(payload[2])
                        dropped += payload[2]
                    else:
                        kept += payload[2]
    return kept, dropped


def main():
    parser = argparse.ArgumentParser(description="Reduces libtorch's CUDA build; see the head of this file.")
    parser.add_argument("jar")
    parser.add_argument("archive")
    parser.add_argument("--sm", type=int, default=90, help="the architecture that is kept, 90 for H100 and H200")
    parser.add_argument("--preset", type=int, default=6, help="of xz, 0 to 9")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(given.archive))) as folder:
        with zipfile.ZipFile(given.jar) as jar:
            libraries = [name for name in jar.namelist() if ".so" in os.path.basename(name)]
            if not libraries:
                sys.exit(f"{given.jar}: holds no library; expected org.bytedeco:pytorch with classifier linux-x86_64-gpu")
            jar.extractall(folder, libraries)
        for name in sorted(libraries):
            kept, dropped = keep_only(os.path.join(folder, name), given.sm)
            if kept:
                print(f"{os.path.basename(name)}: {kept >> 20} MiB of device code kept, {dropped >> 20} MiB dropped")
        partial = given.archive + ".partial"
        with open(partial, "wb") as target:
            tar = subprocess.Popen(["tar", "-C", folder, "-cf", "-", "org"], stdout=subprocess.PIPE)
            xz = subprocess.run(["xz", "-T0", f"-{given.preset}"], stdin=tar.stdout, stdout=target)
            if tar.wait() or xz.returncode:
                sys.exit("tar or xz failed")
        os.replace(partial, given.archive)
        print(f"{given.archive}: {os.path.getsize(given.archive) >> 20} MiB")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Debian packages of any suite and architecture, without touching the system's own apt.

Each suite gets an apt state of its own inside the cache: lists, status, archives. OP-TEE's packages exist only in sid,
and sid must not enter the sources of the machine. The mirror is the one that the machine uses already.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from stack import process, versions
from stack.cache import Cache
from stack.errors import StackError
from stack.versions import Pin, Wanted

MIRROR_VARIABLE = "OPTEE_MEDIATOR_MIRROR"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LISTS_SECONDS = 600
_DOWNLOAD_SECONDS = 1200
_UNPACK_SECONDS = 300
_LISTS_ARE_FRESH_SECONDS = 6 * 3600
_NETWORK_ADVICE = ("check the network, then run the same command again (nothing that is complete is fetched twice); "
                   f"another mirror: {MIRROR_VARIABLE}=http://host/debian")
# The kernel's packages have its version in their names; what we name is the metapackage that depends on one.
_METAPACKAGES = {**dict.fromkeys(("linux-image-arm64", "linux-image-armmp"), r"linux-image-[\w.+-]+"),
                 "linux-headers-armmp": r"linux-headers-[\w.+-]+"}

# The status file is empty: for these suites nothing is installed, so that no package of the machine is in the way.
_SETTINGS = """\
Dir::Etc::SourceList "{state}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "{state}";
Dir::State::Lists "{state}/lists";
Dir::State::Status "{state}/status";
Dir::Cache "{state}/cache";
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; "armhf"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
"""


class NotServed(StackError):
    """The lists of the mirror name a file that the mirror does not have: it happens while a mirror is being synced."""


def mirror() -> str:
    """The Debian archive that this machine's own apt uses, or the one in the environment."""
    override = os.environ.get(MIRROR_VARIABLE)
    if override:
        return override.rstrip("/")
    uris = process.output(["apt-get", "update", "--print-uris"])
    found = re.findall(r"'(\S+)/dists/([a-z]+)/InRelease'", uris)
    release = _codename()
    for uri, suite in sorted(found, key=lambda entry: entry[1] != release):
        if "debian" in uri and "security" not in uri:
            return uri
    raise StackError("no Debian mirror in this machine's apt sources",
                     advice=f"this project supports Debian 12; name a mirror with {MIRROR_VARIABLE}=http://host/debian")


def _codename() -> str:
    text = Path("/etc/os-release").read_text()
    match = re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)
    return match[1] if match else ""


class Suite:
    """One Debian suite: what it offers, and how to get it."""

    def __init__(self, name: str, cache: Cache, pins: Mapping[Wanted, Pin]) -> None:
        self.name = name
        self._cache = cache
        self._pins = pins
        self._state = cache.root / "apt" / name
        self._log = cache.log(f"apt-{name}")

    def source(self, package: str) -> Path:
        """The unpacked source package, with Debian's patches applied; nobody may change it."""
        wanted = Wanted("source", self.name, package)
        return self._cache.make(f"source-{self.name}-{package}", self._key([wanted]),
                                lambda folder, log: self._fetch_source(wanted, folder, log)) / package

    def binaries(self, label: str, packages: Sequence[str], architecture: str = "arm64") -> Path:
        """A folder with the packages' .deb files, PACKAGE.deb each, and a list of their versions."""
        wanted = [Wanted("binary", self.name, package) for package in packages]
        inputs = self._key(wanted) | {"architecture": architecture}
        return self._cache.make(f"packages-{self.name}-{label}", inputs,
                                lambda folder, log: self._fetch_binaries(wanted, architecture, folder, log))

    def _key(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """A result depends on what we asked for and would prefer. What we got instead is written in the result."""
        return {f"{each.kind} {each.suite} {each.package}": self._pins[each].version if each in self._pins else "newest"
                for each in wanted}

    # --- apt

    def _apt(self, program: str, *arguments: str) -> list[str]:
        """apt-get or apt-cache upon the state of this suite; our settings are read after the machine's own."""
        return [program, f"--config-file={self._state}/apt.conf", *arguments]

    def _write_settings(self) -> None:
        state = self._state
        for folder in ("lists/partial", "cache/archives/partial"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        (state / "status").write_text("")
        (state / "apt.conf").write_text(_SETTINGS.format(state=state))

    def _ask(self, *arguments: str) -> str:
        return process.output(self._apt("apt-cache", *arguments))

    def _read_lists(self, fresh_seconds: float = _LISTS_ARE_FRESH_SECONDS) -> None:
        """Brings the lists in, unless they are young and from the mirror that we use."""
        sources = self._state / "sources.list"
        archive = mirror()
        text = "".join(f"{kind} [signed-by={_KEYRING}] {archive} {self.name} main\n" for kind in ("deb", "deb-src"))
        stamp = self._state / "read"
        same = sources.is_file() and sources.read_text() == text
        if same and stamp.is_file() and time.time() - stamp.stat().st_mtime < fresh_seconds:
            return
        self._write_settings()
        stamp.unlink(missing_ok=True)
        sources.write_text(text)
        self._cache.observer.doing(f"reading the package lists of Debian {self.name}")
        process.run(self._apt("apt-get", "update"), log=self._log, seconds=_LISTS_SECONDS,
                    observer=self._cache.observer, what=f"reading the package lists of Debian {self.name} from {archive}",
                    advice=_NETWORK_ADVICE)
        stamp.write_text("")

    def _version(self, wanted: Wanted, name: str) -> str:
        """The version to fetch; says when it is not the one of the lock."""
        kind = "Sources" if wanted.kind == "source" else "Packages"
        rows = [row.split("|") for row in self._ask("madison", name).splitlines()]
        offered = [row[1].strip() for row in rows if len(row) == 3 and row[2].strip().endswith(kind)]
        pin = self._pins.get(wanted)
        version = versions.choose(pin, offered)
        if version is None:
            raise StackError(f"Debian {self.name} has no {wanted.kind} package {wanted.package}", log=self._log,
                             advice="the suite has moved: docs/stack.md, 'When sid moves'")
        if pin is not None and version != pin.version:
            self._cache.observer.note(f"Debian {self.name} no longer has {wanted.package} {pin.version}, seen on "
                                      f"{pin.seen}: taking {version} instead (docs/stack.md, 'When sid moves')")
        return version

    def _real_name(self, package: str, architecture: str, version: str) -> str:
        """The package that a metapackage stands for, of the same version; any other package stands for itself."""
        if package not in _METAPACKAGES:
            return package
        shown = self._ask("show", f"{package}:{architecture}={version}")
        match = re.search(rf"^Depends:.*?({_METAPACKAGES[package]}) \(= {re.escape(version)}\)", shown, re.MULTILINE)
        if match is None:
            raise StackError(f"{package} {version} in {self.name} depends on nothing like {_METAPACKAGES[package]}",
                             log=self._log, advice="the suite has moved: docs/stack.md, 'When sid moves'")
        return match[1]

    def _fetch(self, folder: Path, log: Path, what: str, *arguments: str) -> None:
        self._cache.observer.doing(f"fetching {what}")
        try:
            process.run(self._apt("apt-get", *arguments), cwd=folder, log=log, seconds=_DOWNLOAD_SECONDS,
                        observer=self._cache.observer, what=f"fetching {what} from Debian {self.name}",
                        advice=_NETWORK_ADVICE)
        except StackError as problem:
            if re.search(r"^\s+404\s+Not Found", log.read_text(errors="replace"), re.MULTILINE):
                raise NotServed(f"the mirror lists {what} in {self.name}, but does not serve it", log=log,
                                advice="wait until the mirror is in order again, or name another one: "
                                       f"{MIRROR_VARIABLE}=http://host/debian") from problem
            raise

    # --- results

    def _fetch_source(self, wanted: Wanted, folder: Path, log: Path) -> None:
        with self._cache.lock(f"apt-{self.name}"):
            self._read_lists()
            version = self._version(wanted, wanted.package)
            self._fetch(folder, log, f"the source of {wanted.package} {version}", "source", "--download-only",
                        "--only-source", f"{wanted.package}={version}")
        description = next(folder.glob("*.dsc"), None)
        if description is None:
            raise StackError(f"the source of {wanted.package} came without a .dsc file", log=log)
        # apt has checked every file against the signed lists; the maintainer's signature needs a keyring of its own.
        process.run(["dpkg-source", "--no-check", "--extract", str(description), str(folder / wanted.package)],
                    log=log, seconds=_UNPACK_SECONDS, observer=self._cache.observer,
                    what=f"unpacking {description.name}")
        (folder / "versions").write_text(versions.render({wanted: Pin(version, _today())}))

    def _fetch_binaries(self, wanted: Sequence[Wanted], architecture: str, folder: Path, log: Path) -> None:
        with self._cache.lock(f"apt-{self.name}"):
            self._read_lists()
            chosen = {each: self._version(each, f"{each.package}:{architecture}") for each in wanted}
            real = {each: self._real_name(each.package, architecture, version) for each, version in chosen.items()}
            self._fetch(folder, log, f"{len(chosen)} packages", "download",
                        *(f"{real[each]}:{architecture}={version}" for each, version in chosen.items()))
        for each in wanted:
            found = list(folder.glob(f"{real[each]}_*.deb"))
            if len(found) != 1:
                raise StackError(f"expected one file of package {real[each]}, found {len(found)}", log=log)
            found[0].rename(folder / f"{each.package}.deb")
        (folder / "versions").write_text(versions.render({each: Pin(version, _today())
                                                          for each, version in chosen.items()}))


def _today() -> str:
    return time.strftime("%Y-%m-%d")


def identity(result: Path) -> str:
    """What a fetched result holds, as an input of later steps: the same versions make the same results."""
    return " ".join(f"{wanted.suite}/{wanted.package}={pin.version}" for wanted, pin in sorted(got_versions(result).items()))


def got_versions(result: Path) -> dict[Wanted, Pin]:
    """What a fetched result really holds."""
    return versions.parse((result / "versions").read_text())

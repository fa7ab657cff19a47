"""The module `SampleData`: sources are registered, and local files are loaded from them by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import slicer

__all__ = ["SampleDataLogic", "SampleDataSource"]


@dataclass
class SampleDataSource:
    """Files that are loaded together; the lists have one entry a file."""

    sampleName: str
    uris: list[str]
    fileNames: list[str]
    nodeNames: list[str | None]
    loadFileTypes: list[str | None]
    loadFileProperties: dict[str, Any]
    thumbnailFileName: str | None
    checksums: list[str | None]
    customDownloader: Callable[["SampleDataSource"], Any] | None


class SampleDataLogic:
    """Finds sample data by name."""

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: str | Sequence[str] | None = None,
        fileNames: str | Sequence[str] | None = None,
        nodeNames: str | Sequence[str] | None = None,
        customDownloader: Callable[[SampleDataSource], Any] | None = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: str | Sequence[str] | None = None,
        loadFileProperties: dict[str, Any] | None = None,
        checksums: str | Sequence[str] | None = None,
        loadFileType: str | Sequence[str] | None = None,
    ) -> None:
        """List a data set under a category; a click on it calls `customDownloader`, if given.

        `loadFileType` is the older name of `loadFileTypes`.
        """
        if not sampleName or not uris or not fileNames:
            raise ValueError("A sample needs a name, addresses and file names")
        count = 1 if isinstance(uris, str) else len(uris)
        source = SampleDataSource(
            sampleName,
            _list(uris, count),
            _list(fileNames, count),
            _list(nodeNames, count),
            _list(loadFileTypes or loadFileType, count),
            loadFileProperties or {},
            thumbnailFileName,
            _list(checksums, count),
            customDownloader,
        )
        sources = slicer.modules.sampleDataSources.setdefault(category, [])
        if source not in sources:
            sources.append(source)

    def downloadSample(self, sampleName: str) -> Any:
        """Load a data set and return its first node."""
        return self.downloadSamples(sampleName)[0]

    def downloadSamples(self, sampleName: str) -> list[Any]:
        """Load a data set and return its nodes."""
        everything = [source for sources in slicer.modules.sampleDataSources.values() for source in sources]
        source = next(source for source in everything if source.sampleName == sampleName)
        return self.downloadFromSource(source)

    def downloadFromSource(self, source: SampleDataSource) -> list[Any]:
        """Load the files of a source and return their nodes; only files on this computer are reached."""
        nodes = []
        for number, uri in enumerate(source.uris):
            address = urlsplit(uri)
            if address.scheme != "file":
                raise RuntimeError(f"The stand-in of SampleData reaches no network: {uri}")
            path = Path(url2pathname(address.path))
            name = source.nodeNames[number] or source.fileNames[number].partition(".")[0]
            properties = {**source.loadFileProperties, "name": name}
            nodes.append(slicer.util.loadNodeFromFile(path, source.loadFileTypes[number], properties))
        return nodes


def _list(given: Any, count: int) -> list[Any]:
    return [given] * count if given is None or isinstance(given, (str, bool)) else list(given)

"""Large things by URI: datasets, checkpoints, results and reports.
Never holds a connection at import, and never loads the S3 client unless a root is s3://."""

from assay_chassis.object_store.base import ObjectStat, ObjectStore, Tree
from assay_chassis.object_store.blocking import SyncObjectStore
from assay_chassis.object_store.errors import (
    AccessDenied,
    KeyRefused,
    ObjectDamaged,
    ObjectNotFound,
    ObjectStoreError,
    ObjectTooLarge,
    StoreUnavailable,
    UriRefused,
)
from assay_chassis.object_store.files import FileStore
from assay_chassis.object_store.keys import split_uri
from assay_chassis.object_store.memory import MemoryStore
from assay_chassis.object_store.opening import open_store
from assay_chassis.object_store.settings import StoreSettings

__all__ = [
    "AccessDenied",
    "FileStore",
    "KeyRefused",
    "MemoryStore",
    "ObjectDamaged",
    "ObjectNotFound",
    "ObjectStat",
    "ObjectStore",
    "ObjectStoreError",
    "ObjectTooLarge",
    "StoreSettings",
    "StoreUnavailable",
    "SyncObjectStore",
    "Tree",
    "UriRefused",
    "open_store",
    "split_uri",
]

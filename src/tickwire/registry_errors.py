"""Errors of a schema registry; see :mod:`tickwire.errors`."""

from tickwire.errors import TickwireError, UsageError


class RegistryFailed(TickwireError):
    """A request to the schema registry failed; *cause* says why, *remedy* what to do."""

    def __init__(self, url: str, cause: str, remedy: str = "correct the schema or the registry") -> None:
        super().__init__(url, cause, remedy)
        self.url, self.cause, self.remedy = url, cause, remedy

    def __str__(self) -> str:
        return f"The schema registry {self.url} cannot be used ({self.cause}): {self.remedy}."


class RegistryAway(RegistryFailed):
    """The schema registry cannot answer now; it may do so later."""

    retryable = True

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause, "check that it runs and can be reached")

    def __str__(self) -> str:
        return f"The schema registry {self.url} does not answer ({self.cause}): {self.remedy}."


class RegistryNotSet(UsageError):
    """A record needs a schema registry, and none is configured."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(schema_id)
        self.schema_id = schema_id

    def __str__(self) -> str:
        return (
            f"A record was written with the schema {self.schema_id} of a schema registry: "
            "set its address with KAFKA_SCHEMA_REGISTRY_URL."
        )


class SchemaUnknown(RegistryAway):
    """The schema registry does not know the schema id of a record: it may be behind, or have lost data."""

    def __init__(self, url: str, schema_id: int) -> None:
        super().__init__(url, f"id {schema_id}")
        self.schema_id = schema_id

    def __str__(self) -> str:
        return (
            f"The schema registry {self.url} does not know the schema {self.schema_id} of a record: restore its data; "
            "until then such records wait."
        )


class SchemaSwapped(RegistryAway):
    """The schema registry has another schema under the schema id of a record: it lost data."""

    def __init__(self, schema_id: int, why: str) -> None:
        super().__init__("", f"id {schema_id}: {why}")

    def __str__(self) -> str:
        return (
            f"The schema registry has another schema under a record's schema id ({self.cause}): restore its data; "
            "until then such records wait."
        )


class NoRegistry(RegistryFailed):
    """The server at that address is no schema registry, or cannot be trusted."""

    def __str__(self) -> str:
        return (
            f"There is no schema registry at {self.url} ({self.cause}): see KAFKA_SCHEMA_REGISTRY_URL; {self.remedy}."
        )


class RegistryRefused(RegistryFailed):
    """The schema registry refuses our login."""

    def __init__(self, url: str, status: int) -> None:
        login = "KAFKA_SCHEMA_REGISTRY_USERNAME and _PASSWORD, or _TOKEN"
        super().__init__(url, f"it refuses our login with status {status}", f"correct {login}")


class SchemaMissing(RegistryFailed):
    """The schema registry has no such subject, version or schema."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause, "run `tickwire schemas register`")

    def __str__(self) -> str:
        return f"The schema registry {self.url} has no such entry ({self.cause}): {self.remedy}."


class SchemaRefused(RegistryFailed):
    """The schema registry refuses a schema: it is invalid, or incompatible with earlier versions."""

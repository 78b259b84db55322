"""What can go wrong with a schema registry; see :mod:`tickwire.errors`."""

from tickwire.errors import TickwireError, UsageError


class RegistryFailed(TickwireError):
    """The schema registry did not do what it was asked; *cause* is why, *remedy* what to do."""

    def __init__(self, url: str, cause: str, remedy: str = "correct the schema or the registry") -> None:
        super().__init__(url, cause, remedy)
        self.url, self.cause, self.remedy = url, cause, remedy

    def __str__(self) -> str:
        return f"The schema registry {self.url} cannot be used ({self.cause}): {self.remedy}."


class RegistryAway(RegistryFailed):
    """The schema registry cannot say what a schema id stands for, now; it may do so later."""

    retryable = True

    def __init__(self, url: str, cause: str, remedy: str = "see that it runs and can be reached") -> None:
        super().__init__(url, cause, remedy)

    def __str__(self) -> str:
        return f"The schema registry {self.url} does not answer ({self.cause}): {self.remedy}."


class RegistryNotSet(UsageError):
    """A record was written with a schema of a registry, and no setting says where that is."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(schema_id)
        self.schema_id = schema_id

    def __str__(self) -> str:
        return (
            f"A record was written with the schema {self.schema_id} of a schema registry: "
            "set its address with KAFKA_SCHEMA_REGISTRY_URL."
        )


class SchemaUnknown(RegistryAway):
    """The schema registry does not know the id that a record names: it may be behind, or have lost what it had."""

    def __init__(self, url: str, schema_id: int) -> None:
        super().__init__(url, f"id {schema_id}")
        self.schema_id = schema_id

    def __str__(self) -> str:
        return (
            f"The schema registry {self.url} does not know the schema {self.schema_id} of a record: restore its data; "
            "until then such records wait."
        )


class SchemaSwapped(RegistryAway):
    """The schema registry gives the id that a record names to another schema than that of the record: it lost some."""

    def __init__(self, schema_id: int, why: str) -> None:
        super().__init__("", f"id {schema_id}: {why}")

    def __str__(self) -> str:
        return (
            f"The schema registry has another schema under a record's schema id ({self.cause}): restore its data; "
            "until then such records wait."
        )


class NoRegistry(RegistryFailed):
    """What is at that address is no schema registry, or cannot be trusted to be it."""

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

    def __init__(self, url: str, cause: str, remedy: str = "run `tickwire schemas register`") -> None:
        super().__init__(url, cause, remedy)

    def __str__(self) -> str:
        return f"The schema registry {self.url} has no such entry ({self.cause}): {self.remedy}."


class SchemaRefused(RegistryFailed):
    """The schema registry does not take a schema: it does not fit beside those before it, or is none."""

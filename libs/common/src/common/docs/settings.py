"""Every environment variable of a service."""

from common.docs.notice import GENERATED
from common.settings import Settings, markdown


def configuration(kind: type[Settings], introduction: str) -> str:
    return f"{GENERATED}\n\n{introduction}\n{markdown(kind)}"

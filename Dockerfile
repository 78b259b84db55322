# tickwire with its compiled part and the page: docker build -t tickwire .
#
# Runs as user 10001; the root may be read-only. Records that wait for Kafka are in the volume /var/lib/tickwire. Settings come from the
# environment, secrets from files: -e KAFKA_SASL_PASSWORD_FILE=/run/secrets/kafka-password.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY src ./src
RUN python -m venv /opt/tickwire \
 && /opt/tickwire/bin/pip install --no-cache-dir '.[ui]' \
 && /opt/tickwire/bin/python -c 'from tickwire import compiled; assert not compiled.missing, compiled.missing'

FROM python:${PYTHON}-slim-bookworm
RUN groupadd --gid 10001 tickwire \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/tickwire --shell /usr/sbin/nologin tickwire \
 && install -d -o 10001 -g 10001 /var/lib/tickwire
COPY --from=build /opt/tickwire /opt/tickwire
# The pages for metrics and health are open to the container itself; KAFKA_METRICS_HOST=0.0.0.0 opens them to its network.
ENV PATH=/opt/tickwire/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    KAFKA_METRICS_ENABLED=true \
    KAFKA_SPILL_DIR=/var/lib/tickwire/spill
USER 10001:10001
WORKDIR /var/lib/tickwire
VOLUME /var/lib/tickwire
# For `produce` and `consume`. Commands without such a page (`check`, `topics`) end before the first check, or need --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/health/live' % os.environ.get('KAFKA_METRICS_PORT', 8000), timeout=4)"]
ENTRYPOINT ["tickwire"]
CMD ["--help"]

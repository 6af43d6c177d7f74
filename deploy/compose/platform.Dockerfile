# The platform: webserver, daemon, and what the image of each domain stands on.
#   docker build -f deploy/compose/platform.Dockerfile -t mesh-platform .
FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/mesh mesh \
 && mkdir -p /srv/mesh/domains /opt/dagster && chown mesh:mesh /opt/dagster
WORKDIR /opt/platform
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md ./
COPY shared_resources shared_resources
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
# What an installation adds of its own; for Kubernetes Dagster's run launcher (deploy/README.md). The
# versions of the lock stay.
ARG WITH=""
RUN [ -z "$WITH" ] || { \
  sed -E -n 's/^([A-Za-z0-9._-]+)(\[[^]]*\])?(==[^\\]+).*/\1\3/p' requirements.lock > pins.txt && \
  pip install --no-cache-dir --constraint pins.txt $WITH; }
COPY deploy/compose/dagster.yaml deploy/compose/workspace.yaml /opt/dagster/
COPY --chmod=0755 deploy/compose/with-secrets.sh /usr/local/bin/with-secrets
ENV DAGSTER_HOME=/opt/dagster MESH_HOME=/var/lib/mesh MESH_ROOT=/srv/mesh PYTHONUNBUFFERED=1
WORKDIR /srv/mesh
USER mesh
ENTRYPOINT ["with-secrets"]

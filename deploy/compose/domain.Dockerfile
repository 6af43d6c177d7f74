# One domain: its files, and what its own lock pins beside the platform.
#   docker build -f deploy/compose/domain.Dockerfile --build-arg DOMAIN=order -t mesh-order .
# In a repository of its own a copy of this file builds it: the layout is the same, with one domain in
# it, and the lock says which platform, whose wheel lies in wheels/.
ARG PLATFORM=mesh-platform
FROM ${PLATFORM}
ARG DOMAIN
USER root
# The domain's own lock, where it has one, takes the place of the project's.
COPY requirements.lock domains/${DOMAIN}/requirements.loc[k] wheel[s] /tmp/lock/
RUN pip install --no-cache-dir --require-hashes --no-deps --find-links /tmp/lock \
  -r /tmp/lock/requirements.lock
# Of its neighbours in one repository it reads what they promise; others it knows from the registry.
COPY workspace.yaml ./
COPY domains domains
COPY dbt_project dbt_project
ENV DOMAIN=${DOMAIN}
USER mesh
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["dagster", "api", "grpc-health-check", "--port", "4000"]
CMD ["sh", "-c", "exec dagster api grpc --host 0.0.0.0 --port 4000 --module-name domains.$DOMAIN.definitions --working-directory /srv/mesh --location-name $DOMAIN --use-python-environment-entry-point"]

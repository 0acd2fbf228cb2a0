# The exporter in an image: make image
#
# It runs as an unprivileged user with a read-only root filesystem and no capabilities; state is on the volume. What is tested is
# exactly this file, with Debian's own Python 3.11 in the place of the base.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm


FROM ${PYTHON_IMAGE} AS build

# For a package index other than pip's own.
ARG PIP_INDEX_URL
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
ARG REVISION=unknown

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY exporter exporter

# Into an environment without pip. Wheels only: nothing is compiled here, so no compiler is needed.
RUN --mount=type=cache,target=/root/.cache/pip \
    echo "${REVISION}" > exporter/REVISION \
    && python3 -m venv /opt/pip \
    && python3 -m venv --without-pip /opt/qbusiness-exporter \
    && /opt/pip/bin/pip --python /opt/qbusiness-exporter/bin/python install \
        --disable-pip-version-check --only-binary :all: --constraint constraints.txt .

# botocore describes every service of AWS; the exporter speaks to one, and for credentials to STS, SSO and sign-in.
RUN find /opt/qbusiness-exporter/lib/python3*/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name qbusiness ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} +


FROM ${PYTHON_IMAGE}

ARG REVISION=unknown
ARG VERSION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="qbusiness-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Amazon Q Business data source sync jobs" \
      org.opencontainers.image.source="https://github.com/example/qbusiness-exporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# Nothing is installed in a running container: no installer is left in it.
RUN stdlib="$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && rm -rf "${stdlib}/ensurepip" "${stdlib}"/site-packages/pip* "${stdlib}"/site-packages/setuptools* \
        "${stdlib}"/site-packages/wheel* /usr/local/bin/pip* /usr/share/python-wheels \
    && install -d -o 10142 -g 10142 /var/lib/qbusiness-exporter

COPY --from=build /opt/qbusiness-exporter /opt/qbusiness-exporter
COPY --chmod=0755 deploy/container/healthcheck.py /usr/local/bin/healthcheck
COPY deploy/container/config.yaml /etc/qbusiness-exporter/config.yaml

# state.path is relative to the working directory. Nothing can be written beside the modules, so Python need not try.
ENV PATH="/opt/qbusiness-exporter/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/qbusiness-exporter
VOLUME ["/var/lib/qbusiness-exporter"]
USER 10142:10142
EXPOSE 10142

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["healthcheck"]

# The file is named here, so that check, policy, plan and discover read it too: docker run IMAGE check.
ENTRYPOINT ["qbusiness-exporter", "--config.file=/etc/qbusiness-exporter/config.yaml"]
CMD ["serve"]

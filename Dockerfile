# Container image of the exporter: make image
#
# The exporter runs as an unprivileged user and needs neither capabilities nor a writable root filesystem. State is stored on the volume. The
# tests build this file with Python 3.11 from Debian instead of the base image.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm


FROM ${PYTHON_IMAGE} AS build

# For a package index other than PyPI.
ARG PIP_INDEX_URL
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
ARG REVISION=unknown

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY exporter exporter

# Installs into a virtual environment without pip. Only wheels are allowed, so that no compiler is needed.
RUN --mount=type=cache,target=/root/.cache/pip \
    echo "${REVISION}" > exporter/REVISION \
    && python3 -m venv /opt/pip \
    && python3 -m venv --without-pip /opt/qbusiness-exporter \
    && /opt/pip/bin/pip --python /opt/qbusiness-exporter/bin/python install \
        --disable-pip-version-check --only-binary :all: --constraint constraints.txt '.[postgresql]'

# botocore contains a description of every AWS service. The exporter needs those of the services that it watches, SQS for
# events, and STS, SSO and sign-in for credentials.
RUN watched="$(/opt/qbusiness-exporter/bin/python -c \
        'from exporter.providers.registry import SERVICES; print(*(each.client for each in SERVICES.values()))')" \
    && for each in /opt/qbusiness-exporter/lib/python3*/site-packages/botocore/data/*/; do \
        case " ${watched} sqs sts sso sso-oidc signin " in *" $(basename "${each}") "*) ;; *) rm -r "${each}" ;; esac; \
    done


FROM ${PYTHON_IMAGE}

ARG REVISION=unknown
ARG VERSION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="qbusiness-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the sync jobs of Amazon Q Business, Amazon Kendra and Amazon Bedrock knowledge bases" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# Removes the package installers, which a running container does not need.
RUN stdlib="$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && rm -rf "${stdlib}/ensurepip" "${stdlib}"/site-packages/pip* "${stdlib}"/site-packages/setuptools* \
        "${stdlib}"/site-packages/wheel* /usr/local/bin/pip* /usr/share/python-wheels \
    && install -d -o 10142 -g 10142 /var/lib/qbusiness-exporter

COPY --from=build /opt/qbusiness-exporter /opt/qbusiness-exporter
COPY --chmod=0755 deploy/container/healthcheck.py /usr/local/bin/healthcheck
COPY deploy/container/config.yaml /etc/qbusiness-exporter/config.yaml

# state.path is relative to the working directory. Python cannot write bytecode next to the modules, so it does not try.
ENV PATH="/opt/qbusiness-exporter/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/qbusiness-exporter
VOLUME ["/var/lib/qbusiness-exporter"]
USER 10142:10142
EXPOSE 10142

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["healthcheck"]

# The entry point names the configuration file, so that all commands read it, for example: docker run IMAGE check.
ENTRYPOINT ["qbusiness-exporter", "--config.file=/etc/qbusiness-exporter/config.yaml"]
CMD ["serve"]

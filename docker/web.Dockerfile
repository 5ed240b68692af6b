# The small image: web page, API, sweeper and database commands. It has no PyTorch (4 GB less to ship, patch and
# start), which is why web, db, core and worker.sweeper may not import it.
#
#   docker build -f docker/web.Dockerfile -t pneumoscreen-web .

# The minor version and the Debian release are pinned, the patch level is not: a rebuild brings security fixes.
FROM python:3.12-slim-trixie AS build
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 \
    UV_SYSTEM_CERTS=1 PIP_CERT=/etc/ssl/certs/ca-certificates.crt
# A site with a certificate authority of its own puts its certificate into docker/ca.
COPY docker/ca /usr/local/share/ca-certificates/
RUN update-ca-certificates
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
# The dependencies first: this layer is built again only when they change.
COPY pyproject.toml requirements.lock ./
RUN python -m venv --without-pip /opt/venv && \
    uv pip install --python /opt/venv/bin/python \
        --requirements pyproject.toml --extra s3 --constraints requirements.lock
COPY README.md LICENSE NOTICE ./
COPY core core
COPY imaging imaging
COPY storage storage
COPY model model
COPY db db
COPY services services
COPY web web
COPY worker worker
COPY training training
COPY client client
COPY launcher launcher
COPY cli cli
RUN uv pip install --python /opt/venv/bin/python \
        --no-deps --build-constraints requirements.lock .

FROM python:3.12-slim-trixie
# Named volumes take over the owner of the folder they are mounted on; uid 10001 owns nothing else anywhere.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /tmp pneumoscreen && \
    install -d -o pneumoscreen -g pneumoscreen -m 0750 \
        /var/lib/pneumoscreen /var/lib/pneumoscreen/blobs /var/lib/pneumoscreen/models
COPY --from=build /opt/venv /opt/venv
COPY docker/healthcheck.py /opt/healthcheck.py
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PNEUMOSCREEN_DATA_DIR=/var/lib/pneumoscreen
WORKDIR /var/lib/pneumoscreen
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "/opt/healthcheck.py", "web"]
CMD ["pneumoscreen", "web"]

# Build with `make image`, which tells the image its version, or with:
# docker build -t aws_iam_exporter --build-arg VERSION="$(cat VERSION)" --build-arg REVISION="$(git rev-parse --short HEAD)" .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
ARG REVISION=unknown
ARG BRANCH=unknown
ARG BUILD_DATE=unknown
RUN pkg=github.com/prometheus/common/version && \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -o /aws_iam_exporter -ldflags "-s -w \
      -X ${pkg}.Version=${VERSION} -X ${pkg}.Revision=${REVISION} \
      -X ${pkg}.Branch=${BRANCH} -X ${pkg}.BuildDate=${BUILD_DATE}" .

RUN mkdir /state

# Nothing but the static binary and the CA roots it needs to trust AWS.
FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
ARG BUILD_DATE=unknown
LABEL org.opencontainers.image.title="aws_iam_exporter" \
      org.opencontainers.image.description="Prometheus exporter for the access keys of AWS IAM users" \
      org.opencontainers.image.source="https://github.com/aws-iam-exporter/aws_iam_exporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${BUILD_DATE}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /aws_iam_exporter /aws_iam_exporter
# A volume mounted here belongs to the exporter, which creates a directory of its
# own in it: --state.dir=/state/facts.
COPY --from=build --chown=65534:65534 /state /state
# The user is a number, so that Kubernetes can tell that it isn't root.
USER 65534:65534
EXPOSE 10190
ENTRYPOINT ["/aws_iam_exporter"]

# pushpipe in a container.
#
#	docker build -t pushpipe .                      every program of the chain
#	docker build -t pushpipe-mock --target mock .   the same with the stand-in vendors, for trying out
#	docker build --target watch .                   Prometheus, Alertmanager and the exporter of Redis, Debian's
#	docker build --target test .                    runs every test on Debian 13
#
# Needs nothing but the base image and Debian's packages.
FROM debian:trixie-slim AS deps
COPY scripts/deps /src/scripts/deps
RUN /src/scripts/deps build && rm -rf /var/lib/apt/lists/*

FROM deps AS build
WORKDIR /src
COPY Makefile VERSION ./
COPY scripts scripts
COPY man man
COPY lib lib
COPY stages stages
COPY test/mock test/mock
RUN make -j"$(nproc)" all \
	&& make -s install DESTDIR=/out PREFIX=/usr \
	&& strip /out/usr/bin/* \
	&& mkdir /mock && mv /out/usr/bin/push-mock /mock/
# The packages that hold the libraries our programs are linked with.
RUN ldd /out/usr/bin/push-* /mock/push-mock | awk '$2 == "=>" { print $3 }' | sort -u \
	| xargs readlink -f | xargs dpkg-query -S | cut -d : -f 1 | sort -u >/out/packages

FROM build AS test
RUN scripts/deps test
COPY . .
# Part of the names of the tests to run; empty: all.
ARG ONLY=
RUN make check ONLY="$ONLY"

FROM debian:trixie-slim AS runtime
ARG DEBIAN_FRONTEND=noninteractive
RUN --mount=type=bind,from=build,source=/out,target=/out \
	apt-get update \
	&& xargs apt-get install -y --no-install-recommends ca-certificates tzdata </out/packages \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
	&& echo 'push:x:10001:' >>/etc/group \
	&& echo 'push:x:10001:10001:pushpipe:/run/push:/usr/sbin/nologin' >>/etc/passwd \
	&& install -d -m 750 -o push -g push /etc/push /etc/push/keys /run/push /var/log/push
COPY --from=build /out/usr/bin /usr/bin
COPY deploy/docker/healthy /usr/libexec/push/healthy
USER push
WORKDIR /var/log/push
ENV PUSH_CONFIG=/etc/push/push.conf
# Only what goes wrong for longer than the restart policy needs shows up here.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/libexec/push/healthy"]
CMD ["push-run"]

FROM runtime AS mock
ARG DEBIAN_FRONTEND=noninteractive
USER root
RUN apt-get update \
	&& apt-get install -y --no-install-recommends openssl \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
	&& install -d -m 750 -o push -g push /var/lib/push-mock
COPY --from=build /mock/push-mock /usr/bin/push-mock
COPY scripts/mock-certs /usr/libexec/push/mock-certs
USER push
WORKDIR /var/lib/push-mock

# The raw data of the web interface's time zones, which it never asks for, are larger than all the rest.
FROM debian:trixie-slim AS watch
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
	&& apt-get install -y --no-install-recommends prometheus prometheus-alertmanager prometheus-redis-exporter \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /usr/share/javascript/moment-timezone/data \
	&& install -d -o prometheus -g prometheus /var/lib/prometheus
USER prometheus
WORKDIR /var/lib/prometheus

# What `docker build' makes when it is not told another.
FROM runtime

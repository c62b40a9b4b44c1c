# Broker, agents and yard in one image. Which of them runs is the command: the broker unless another is given.
FROM node:26.10.0-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN npm ci --no-audit --no-fund && npm run bundle

FROM node:26.10.0-bookworm-slim
# No PostgreSQL is included: the broker is given one by DATABASE_URL.
COPY --from=build /src/dist /opt/switchyard
COPY LICENSE /opt/switchyard/
WORKDIR /var/lib/switchyard
RUN chown 65532:65532 /var/lib/switchyard
# A number, so that a cluster that asks for non-root can see that it is.
USER 65532:65532
ENV NODE_ENV=production HOME=/var/lib/switchyard SWITCHYARD_DATA_DIR=/var/lib/switchyard
EXPOSE 8470 8471
ENTRYPOINT ["node"]
CMD ["/opt/switchyard/broker.js"]

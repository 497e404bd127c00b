import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Synchronization
import Testing
import WeirGates
import WeirNode
import WeirWorld

@testable import WeirConsole

@Suite("The console's HTTP side")
struct HTTPTests {
    let node = FakeNode.busy()

    private func ask(
        _ uri: String, _ method: HTTPRequest.Method = .get, _ headers: HTTPFields = [:]
    ) async throws -> (status: Int, headers: HTTPFields, body: String) {
        let server = try ConsoleServer(node: node, listen: "127.0.0.1:0", world: node.world)
        return try await server.application.test(.router) { client in
            try await client.execute(uri: uri, method: method, headers: headers) { response in
                (response.status.code, response.headers, String(buffer: response.body))
            }
        }
    }

    @Test("It answers that it is alive, and that it is ready")
    func health() async throws {
        #expect(try await ask("/livez").body == "ok\n")
        #expect(try await ask("/readyz").body == "ok\n")
        #expect(try await ask("/readyz?verbose").body == "[+]store ok\n[+]listeners ok\nok\n")
    }

    @Test("Not ready is 503 and names the part that is not")
    func notReady() async throws {
        node.contents.withLock {
            $0.health[1] = HealthCheck(name: "listeners", isOK: false, message: "port\u{7} taken")
        }
        let answer = try await ask("/readyz")
        #expect(answer.status == 503)
        #expect(answer.body == "[-]listeners failed: port\\x07 taken\nnot ready\n")
    }

    @Test("A held gate does not make the node unready")
    func heldIsReady() async throws {
        #expect(GateReading.relay.state.isHeld)
        #expect(try await ask("/readyz").status == 200)
    }

    @Test(
        "Every page of the table answers 200 and nothing can be stored or framed",
        arguments: [
            "/", "/console.css", "/livez", "/readyz", "/metrics", "/api/v1/gates", "/api/v1/gates/siem",
            "/api/v1/sources",
            "/api/v1/destinations", "/api/v1/routes", "/api/v1/queues", "/api/v1/health", "/api/v1/taps/edge",
            "/api/v1/dead-letters/siem", "/api/v1/openapi.json", "/api/v1/events",
        ])
    func answers(uri: String) async throws {
        let answer = try await ask(uri)
        #expect(answer.status == 200)
        #expect(!answer.body.isEmpty)
        #expect(answer.headers[.cacheControl] == "no-store")
        #expect(answer.headers[.xContentTypeOptions] == "nosniff")
        let policy = try #require(answer.headers[.contentSecurityPolicy])
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"] {
            #expect(policy.contains(part))
        }
    }
}

import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing
import WeirIdentity
import WeirTestKit
import WeirWorld

/// The SCIM server `scim2-server` (PyPI), which the scripts install beside pytest.
final class SCIMPeer: Sendable {
    static var program: String? {
        let venv = ProcessInfo.processInfo.environment["WEIR_VENV"]
        let places = [venv, FileManager.default.currentDirectoryPath + "/.venv"]
        return places.compactMap { $0.map { $0 + "/bin/scim2-server" } }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    let port: Int
    private let process: Process

    init(_ program: String) async throws {
        // The server cannot say which port it got, so one is taken that was free a moment ago, and another where that
        // was wrong.
        let process = Process()
        let port = try Self.freePort()
        self.port = port
        self.process = process
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["--hostname", "127.0.0.1", "--port", String(port)]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        // A child of a thread of the pool has that thread's signals blocked, SIGTERM among them.
        kill(process.processIdentifier, SIGKILL)
    }

    private static func freePort() throws -> Int {
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(file) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bound -> Int32 in
                guard bind(file, bound, length) == 0 else { return -1 }
                return getsockname(file, bound, &length)
            }
        }
        #expect(code == 0)
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

@Suite("A silo behind SCIM")
struct SCIMSiloTests {
    private let world = World.live(log: Logger(label: "test"))

    private func silo(_ peer: SCIMPeer) async throws -> SCIMSilo {
        var layout = SCIMSilo.Layout(url: "http://127.0.0.1:\(peer.port)/v2/")
        layout.pageSize = 7
        let silo = SCIMSilo(layout, http: HTTPClient.shared, world: world)
        let isUp = await eventually {
            (try? await silo.scan(ScanRequest(kind: ObjectKind(silo: "app"))) { _ in }) != nil
        }
        #expect(isUp, "scim2-server came up")
        return silo
    }

    @Test("keeps what every provider promises, on scim2-server", .enabled(if: SCIMPeer.program != nil))
    func users() async throws {
        let peer = try await SCIMPeer(try #require(SCIMPeer.program))
        try await SiloContract(
            provider: try await silo(peer), kind: ObjectKind(silo: "app"),
            attributes: { ["username": ["user\($0)"], "name_familyname": ["Ünal \($0)"], "active": ["true"]] },
            single: "displayname", list: "emails"
        ).run()
    }

    @Test("keeps it for groups too, with members that come and go one by one", .enabled(if: SCIMPeer.program != nil))
    func groups() async throws {
        let peer = try await SCIMPeer(try #require(SCIMPeer.program))
        let silo = try await silo(peer)
        let user = ObjectKind(silo: "app")
        var anchors: [String] = []
        for name in ["ann", "bob"] {
            let made = Change(operation: .create, target: user, anchor: nil, name: name)
            guard case .written(let anchor?) = await silo.write(made, secrets: [:]) else {
                Issue.record("\(name) was not made")
                return
            }
            anchors.append(anchor)
        }
        let group = ObjectKind(silo: "app", type: "group")
        var change = Change(operation: .create, target: group, anchor: nil, name: "staff")
        change.edits = [Change.Edit(attribute: "members", removes: [], adds: anchors, isReplaced: false)]
        guard case .written(let staff?) = await silo.write(change, secrets: [:]) else {
            Issue.record("the group was not made")
            return
        }
        #expect(try await silo.read(group, anchor: staff, name: "staff")?.attributes["members"] == anchors.sorted())
        change = Change(operation: .modify, target: group, anchor: staff, name: "staff")
        change.edits = [Change.Edit(attribute: "members", removes: [anchors[0]], adds: [], isReplaced: false)]
        #expect(await silo.write(change, secrets: [:]) == .written(anchor: staff))
        #expect(await silo.write(change, secrets: [:]) == .alreadySo(anchor: staff))
        #expect(try await silo.read(group, anchor: nil, name: "staff")?.attributes["members"] == [anchors[1]])
    }

    @Test("says that nobody is there, and that a write was never sent")
    func absent() async throws {
        let port = try RefusingPort()
        var layout = SCIMSilo.Layout(url: "http://127.0.0.1:\(port.port)")
        layout.timeout = .seconds(1)
        let silo = SCIMSilo(layout, http: HTTPClient.shared, world: world)
        let kind = ObjectKind(silo: "app")
        do {
            _ = try await silo.scan(ScanRequest(kind: kind)) { _ in }
            Issue.record("nobody was read")
        } catch {
            #expect(error.isPassing)
        }
        guard
            case .failed = await silo.write(
                Change(operation: .delete, target: kind, anchor: "1", name: "x"), secrets: [:])
        else {
            Issue.record("a write to nobody")
            return
        }
    }
}

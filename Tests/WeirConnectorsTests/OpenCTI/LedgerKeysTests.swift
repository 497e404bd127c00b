import Foundation
import Logging
import Testing
import WeirStore
import WeirWorld

@testable import WeirConnectors

@Suite("Keys of connectors")
struct LedgerKeysTests {
    private func key(_ secret: String) -> ConnectorKey {
        ConnectorKey(connector: "a", secret: secret, madeAt: WallTime(nanoseconds: 5))
    }

    @Test("open only for their whole secret")
    func secrets() {
        #expect(key("abc").isOpened(by: "abc"))
        for wrong in ["", "ab", "abcd", "abd", "ABC", "abcabc"] { #expect(!key("abc").isOpened(by: wrong)) }
        #expect(!key("").isOpened(by: ""))
    }

    @Test("are made once, outlive a restart, and end with their revocation")
    func life() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "weir-keys-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let world = World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let path = directory.appending(path: "ledger.db").path()
        var ledger = try await Ledger.open(path: path, world: world)
        let fresh = LedgerKeys(ledger: ledger)
        async let first = fresh.key(of: "a", orKeep: key("one"))
        async let second = fresh.key(of: "a", orKeep: key("two"))
        let made = try await [first, second]
        #expect(made[0] == made[1])
        await ledger.close()

        ledger = try await Ledger.open(path: path, world: world)
        let keys = LedgerKeys(ledger: ledger)
        #expect(await keys.key(of: "a") == made[0])
        #expect(await keys.key(of: "b") == nil)
        try await keys.revoke("a")
        #expect(await keys.key(of: "a") == nil)
        #expect(try await keys.key(of: "a", orKeep: key("three")).secret == "three")
        await ledger.close()
    }
}

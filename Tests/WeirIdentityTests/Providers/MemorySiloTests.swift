import Testing
import WeirIdentity

@Suite("A silo in memory")
struct MemorySiloTests {
    @Test("keeps what every provider promises")
    func contract() async throws {
        let kind = ObjectKind(silo: "m")
        try await SiloContract(
            provider: MemorySilo([kind]), kind: kind, attributes: { ["cn": ["user\($0)"], "mail": ["\($0)@x"]] },
            single: "cn", list: "phones"
        ).run()
    }
}

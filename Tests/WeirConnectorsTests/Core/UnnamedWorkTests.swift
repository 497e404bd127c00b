import NIOCore
import Testing
import WeirTestKit

@testable import WeirConnectors

@Suite("A bundle by the API that names no work")
struct UnnamedWorkTests {
    @Test("counts for the one that goes on, and for none where several do")
    func anonymous() async throws {
        let stage = CoreStage()
        let intake = stage.intake
        try await stage.live(with: "c") { connectors in
            let bundle = Sample.bundle([Sample.object(1), Sample.object(2)])
            let head = BundleHead(connector: "c", encoding: .stix)
            let first = try await connectors.addWork("c", name: "first", isMultipart: false)
            // As pycti 6.4 does by the API: two messages announced, one bundle pushed.
            try await connectors.expect(first.id, 2)
            try await connectors.push(BundlePush(head, bytes: ByteBuffer(string: bundle)), deadline: nil)
            try await connectors.processed(first.id, message: nil, isError: false)
            #expect(await eventually { await connectors.work(first.id)?.status == .complete })
            let done = await connectors.work(first.id)
            #expect(done?.pushed == 1 && done?.expected == 1 && done?.delivered == 1)

            let second = try await connectors.addWork("c", name: "second", isMultipart: false)
            let third = try await connectors.addWork("c", name: "third", isMultipart: false)
            try await connectors.push(BundlePush(head, bytes: ByteBuffer(string: bundle)), deadline: nil)
            #expect(await eventually { intake.eventCount == 4 })
            for work in [second, third] { #expect(await connectors.work(work.id)?.pushed == 0) }
        }
    }
}

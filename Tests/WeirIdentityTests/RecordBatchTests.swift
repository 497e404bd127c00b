import Testing
import WeirIdentity

@Suite("A batch of records")
struct RecordBatchTests {
    @Test("It begins empty")
    func empty() {
        #expect(RecordBatch().count == 0)
    }
}

import NIOCore
import WeirExpressions
import WeirFlow
import WeirSettings

/// An expression that gives text for each event: a partition, an index, a template.
struct EventText: Sendable {
    private let expression: Expression

    /// Notes a problem with its place when the text is no expression, or one that cannot give text.
    static func compile(_ written: ExpressionText, _ planning: inout DestinationPlanning) -> EventText? {
        do throws(ExpressionProblem) {
            let expression = try Expression(written.text)
            guard ["string", "dyn"].contains(expression.resultType) else {
                planning.note(
                    written.problem(
                        "the expression must give text, not \(expression.resultType)",
                        help: "wrap it in `string(…)`"))
                return nil
            }
            return EventText(expression: expression)
        } catch {
            planning.note(written.problem(error.message, offset: error.line == 1 ? error.column - 1 : nil))
            return nil
        }
    }

    /// False where all events of a batch get the same text: it asks for nothing of an event.
    var readsEvent: Bool { expression.readsWholeRecord || !expression.fieldsRead.isEmpty }

    /// Why an event gave no text.
    struct Failure: Error {
        var sentence: String
    }

    func text(_ event: UnsafeRawBufferPointer, of context: BatchContext) throws(Failure) -> String {
        let record = RecordView(
            bytes: event, kind: RecordKind(rawValue: context.kind.rawValue) ?? .raw, source: context.source,
            meta: context.attributes, received: context.received)
        let value: Value
        do throws(ExpressionFailure) {
            value = try expression.evaluate(record)
        } catch {
            throw Failure(sentence: "The expression `\(expression.source)` fails: \(error).")
        }
        switch value {
        case .string(let text): return text
        case .int(let number): return String(number)
        case .uint(let number): return String(number)
        case .bool(let truth): return String(truth)
        default: throw Failure(sentence: "The expression `\(expression.source)` gives \(value.typeName), not text.")
        }
    }
}

internal import CYaml

/// A position in the source, both from 1; columns count code points, as libyaml does.
struct YAMLMark: Sendable, Hashable {
    var line: Int
    var column: Int
}

/// What the parser saw, in the order of the source.
struct YAMLEvent {
    enum Kind {
        case documentStart, documentEnd, streamEnd
        case alias(String)
        case scalar(text: String, isPlain: Bool)
        case listStart, listEnd, mapStart, mapEnd
        /// Stream start and whatever a later libyaml may add.
        case other
    }

    var kind: Kind
    var anchor: String?
    var tag: String?
    var start: YAMLMark
    var end: YAMLMark
}

/// What libyaml says about a source that is not YAML.
struct YAMLSyntaxFailure: Error {
    var problem: String
    var mark: YAMLMark
    /// Where the thing began that went wrong, such as an open quote.
    var contextMark: YAMLMark?
    /// Bytes before the problem, where there is no line (encoding errors).
    var offset: Int?
}

/// The one door to libyaml: a stream of events, so that a bomb is refused while it is read and not after it was built.
/// (`Yams.compose` builds the whole tree first, and tells neither aliases nor the place of a duplicate key.)
final class YAMLEvents {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let source: UnsafeMutableBufferPointer<UInt8>

    /// `nil` when there is no memory for a parser.
    init?(_ bytes: ArraySlice<UInt8>) {
        parser = .allocate(capacity: 1)
        source = .allocate(capacity: max(1, bytes.count))
        _ = source.initialize(from: bytes)
        guard yaml_parser_initialize(parser) == 1 else {
            source.deallocate()
            parser.deallocate()
            return nil
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        // The input must stay where it is while the parser lives: this object owns both.
        yaml_parser_set_input_string(parser, UnsafePointer(source.baseAddress), bytes.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        source.deallocate()
    }

    func next() throws(YAMLSyntaxFailure) -> YAMLEvent {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        let start = mark(event.start_mark)
        let end = mark(event.end_mark)
        func made(_ kind: YAMLEvent.Kind, anchor: String? = nil, tag: String? = nil) -> YAMLEvent {
            YAMLEvent(kind: kind, anchor: anchor, tag: tag, start: start, end: end)
        }
        switch event.type {
        case YAML_DOCUMENT_START_EVENT: return made(.documentStart)
        case YAML_DOCUMENT_END_EVENT: return made(.documentEnd)
        case YAML_STREAM_END_EVENT: return made(.streamEnd)
        case YAML_ALIAS_EVENT: return made(.alias(text(event.data.alias.anchor) ?? ""))
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let value = scalar.value.map {
                String(decoding: UnsafeBufferPointer(start: $0, count: scalar.length), as: UTF8.self)
            }
            return made(
                .scalar(text: value ?? "", isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE),
                anchor: text(scalar.anchor), tag: text(scalar.tag))
        case YAML_SEQUENCE_START_EVENT:
            let list = event.data.sequence_start
            return made(.listStart, anchor: text(list.anchor), tag: text(list.tag))
        case YAML_SEQUENCE_END_EVENT: return made(.listEnd)
        case YAML_MAPPING_START_EVENT:
            let map = event.data.mapping_start
            return made(.mapStart, anchor: text(map.anchor), tag: text(map.tag))
        case YAML_MAPPING_END_EVENT: return made(.mapEnd)
        default: return made(.other)
        }
    }

    private func failure() -> YAMLSyntaxFailure {
        let error = parser.pointee
        let problem = error.problem.map { String(cString: $0) } ?? "cannot be read"
        switch error.error {
        case YAML_READER_ERROR:
            return YAMLSyntaxFailure(
                problem: problem, mark: YAMLMark(line: 1, column: 1), contextMark: nil, offset: error.problem_offset)
        case YAML_MEMORY_ERROR:
            return YAMLSyntaxFailure(
                problem: "there is no memory left to read it", mark: mark(error.mark), contextMark: nil, offset: nil)
        default:
            let context = error.context == nil ? nil : mark(error.context_mark)
            return YAMLSyntaxFailure(
                problem: problem, mark: mark(error.problem_mark), contextMark: context, offset: nil)
        }
    }

    private func mark(_ mark: yaml_mark_t) -> YAMLMark {
        YAMLMark(line: Int(clamping: mark.line) + 1, column: Int(clamping: mark.column) + 1)
    }

    private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        guard let pointer else { return nil }
        return String(cString: UnsafePointer(pointer))
    }
}

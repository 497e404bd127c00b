import CLdap

/// What C reads during one call: copies of our values that live as long as this.
struct CallMemory: ~Copyable {
    private var blocks: [UnsafeMutableRawPointer] = []

    init() {}

    deinit { for block in blocks { block.deallocate() } }

    /// Ended by a NUL. The caller has refused text with a NUL in it.
    mutating func text(_ text: String) -> UnsafeMutablePointer<CChar> { bytes(Array(text.utf8)) }

    mutating func bytes(_ content: [UInt8]) -> UnsafeMutablePointer<CChar> {
        let block = UnsafeMutableRawPointer.allocate(byteCount: content.count + 1, alignment: 1)
        blocks.append(block)
        content.withUnsafeBytes { if let base = $0.baseAddress { block.copyMemory(from: base, byteCount: $0.count) } }
        block.storeBytes(of: 0, toByteOffset: content.count, as: UInt8.self)
        return block.assumingMemoryBound(to: CChar.self)
    }

    mutating func value(_ content: [UInt8]) -> berval {
        berval(bv_len: ber_len_t(content.count), bv_val: bytes(content))
    }

    mutating func pointer<Value>(_ value: Value) -> UnsafeMutablePointer<Value> { array([value]) }

    mutating func array<Value>(_ values: [Value]) -> UnsafeMutablePointer<Value> {
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: max(1, MemoryLayout<Value>.stride * values.count), alignment: MemoryLayout<Value>.alignment)
        blocks.append(block)
        let typed = block.bindMemory(to: Value.self, capacity: values.count)
        typed.initialize(from: values, count: values.count)
        return typed
    }

    /// Pointers to the values, ended by a null pointer, as C wants its lists.
    mutating func list<Value>(_ values: [Value]) -> UnsafeMutablePointer<UnsafeMutablePointer<Value>?> {
        let all = array(values)
        return array(values.indices.map { all + $0 } + [nil])
    }

    mutating func texts(_ texts: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
        var pointers: [UnsafeMutablePointer<CChar>?] = []
        for one in texts { pointers.append(text(one)) }
        return array(pointers + [nil])
    }

    mutating func changes(_ modifications: [(kind: Int32, values: DirectoryValues)])
        -> UnsafeMutablePointer<UnsafeMutablePointer<LDAPMod>?>
    {
        var made: [LDAPMod] = []
        for one in modifications {
            var values: [berval] = []
            values.reserveCapacity(one.values.values.count)
            for content in one.values.values { values.append(value(content)) }
            // No values at all is a null list: `replace` then means that the attribute goes.
            let pointers: UnsafeMutablePointer<UnsafeMutablePointer<berval>?>? = values.isEmpty ? nil : list(values)
            made.append(
                LDAPMod(
                    mod_op: one.kind | LDAP_MOD_BVALUES, mod_type: text(one.values.attribute),
                    mod_vals: mod_vals_u(modv_bvals: pointers)))
        }
        return list(made)
    }

    mutating func controls(_ controls: [DirectoryControl])
        -> UnsafeMutablePointer<UnsafeMutablePointer<LDAPControl>?>?
    {
        guard !controls.isEmpty else { return nil }
        var made: [LDAPControl] = []
        for control in controls {
            let content = control.value.map { value($0) } ?? berval(bv_len: 0, bv_val: nil)
            made.append(
                LDAPControl(
                    ldctl_oid: text(control.number), ldctl_value: content,
                    ldctl_iscritical: control.isCritical ? 1 : 0))
        }
        return list(made)
    }
}

// mypyc's own header, and beyond it: what its C asks for by name is remembered at each place that asks.
//
// An attribute of a struct, a method of an interpreted class and a name that a module has imported are looked up in
// dictionaries at every use, where CPython 3.11's interpreter has long replaced the look-up by a comparison of version
// numbers: no two states of a type or a dictionary ever have the same. This does so as well. In other releases of
// CPython nothing is changed.

#ifndef FARTHING_CPY_H
#define FARTHING_CPY_H

#include_next <CPy.h>

#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
#include <structmember.h>

// No type has this version. A place remembers the first type that it meets, and no other.
#define NOTHING_SEEN UINT_MAX

typedef struct {
    unsigned int version;
    Py_ssize_t offset; // of the value in the object, or 0
} AttributePlace;

typedef struct {
    unsigned int version;
    PyObject *function; // borrowed of the type, or NULL
} MethodPlace;

typedef struct {
    uint64_t version;
    PyObject *key;   // kept, so that none other has its address
    PyObject *value; // borrowed of the dictionary
} NamePlace;

static void remember_attribute(AttributePlace *place, PyTypeObject *type, PyObject *name) {
    PyObject *found = _PyType_Lookup(type, name);
    place->version = type->tp_version_tag;
    if (place->version == 0 || found == NULL || type->tp_getattro != PyObject_GenericGetAttr)
        return;
    if (!Py_IS_TYPE(found, &PyMemberDescr_Type))
        return;
    PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
    if (member->type == T_OBJECT_EX && !(member->flags & READ_RESTRICTED))
        place->offset = member->offset;
}

static inline PyObject *get_attribute(AttributePlace *place, PyObject *object, PyObject *name) {
    PyTypeObject *type = Py_TYPE(object);
    if (unlikely(place->version == NOTHING_SEEN))
        remember_attribute(place, type, name);
    if (likely(place->offset != 0 && place->version == type->tp_version_tag)) {
        PyObject *value = *(PyObject **)((char *)object + place->offset);
        if (likely(value != NULL))
            return Py_NewRef(value);
    }
    return PyObject_GetAttr(object, name);
}

static void remember_method(MethodPlace *place, PyTypeObject *type, PyObject *name) {
    PyObject *found = _PyType_Lookup(type, name);
    place->version = type->tp_version_tag;
    if (place->version == 0 || found == NULL || type->tp_getattro != PyObject_GenericGetAttr)
        return;
    // An object with a dictionary of its own may have another function under the name.
    if (type->tp_dictoffset == 0 && PyType_HasFeature(Py_TYPE(found), Py_TPFLAGS_METHOD_DESCRIPTOR))
        place->function = found;
}

static inline PyObject *call_method(
    MethodPlace *place, PyObject *name, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    PyTypeObject *type = Py_TYPE(args[0]);
    if (unlikely(place->version == NOTHING_SEEN))
        remember_method(place, type, name);
    if (likely(place->function != NULL && place->version == type->tp_version_tag))
        return PyObject_Vectorcall(place->function, args, nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
    return PyObject_VectorcallMethod(name, args, nargsf, kwnames);
}

static inline PyObject *get_name(NamePlace *place, PyObject *dict, PyObject *key) {
    uint64_t version = ((PyDictObject *)dict)->ma_version_tag;
    if (likely(place->version == version && place->key == key))
        return Py_NewRef(place->value);
    PyObject *value = CPyDict_GetItem(dict, key);
    // Names in the source are interned; of other keys none is kept.
    if (value != NULL && PyDict_CheckExact(dict) && PyUnicode_CheckExact(key) && PyUnicode_CHECK_INTERNED(key)) {
        place->version = version;
        Py_XSETREF(place->key, Py_NewRef(key));
        place->value = value;
    }
    return value;
}

#undef CPyObject_GetAttr
#define CPyObject_GetAttr(object, name) \
    ({ static AttributePlace place = {NOTHING_SEEN, 0}; get_attribute(&place, (object), (name)); })
#define PyObject_VectorcallMethod(name, args, nargsf, kwnames) \
    ({ static MethodPlace place = {NOTHING_SEEN, NULL}; call_method(&place, (name), (args), (nargsf), (kwnames)); })
#define CPyDict_GetItem(dict, key) \
    ({ static NamePlace place = {0, NULL, NULL}; get_name(&place, (dict), (key)); })

#endif
#endif
